"""What looking for a watermark has shown, whatever it is in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, eq=False, kw_only=True)
class Detection:
    """Result of looking for the mark.

    Attributes
    ----------
    payload : bytes or None
        The 8 payload bytes; None when there is no mark or too little of it is left to read.
    statistic, threshold : float
        Normalised correlation with the message, or with the pilots where no message was read, and
        the value that unmarked media exceed with probability at most 1e-9 over all hypotheses.
    p_value : float
        Upper bound, over everything that was tried.
    wire_format : str
        Of the mark.
    """

    payload: bytes | None
    statistic: float
    threshold: float
    p_value: float
    wire_format: str

    @property
    def present(self) -> bool:
        """Whether a mark of this key is there, readable or not."""
        return self.statistic >= self.threshold
