"""Every exception the toolkit raises on purpose.

::

    AigLabelError
    ├── MediaError            the media file itself
    │   ├── UnsupportedFormat    a kind of file, or a variant of one, that is not handled
    │   ├── CorruptMedia         broken, truncated or lying bytes
    │   └── ResourceLimit        too many pixels, frames, bytes or seconds
    ├── LabelError            a label value the standard does not allow      (also ValueError)
    ├── PayloadError          a watermark payload of the wrong size or type  (also ValueError)
    ├── PolicyError           a policy that contradicts itself or is misspelt (also ValueError)
    ├── KeyMaterialError      a watermark key that cannot be read or written
    ├── SigningError          C2PA certificates, keys, signing, a refused parent
    └── OutputError           the destination: exists, full disk, or did not read back

"Nothing found" is a result, never an exception.
"""

from __future__ import annotations

import os


class AigLabelError(Exception):
    """Root of all errors of this toolkit.

    Parameters
    ----------
    reason : str
        What is wrong, one plain sentence without a full stop.
    path : str or os.PathLike, optional
        The file it is about.
    remedy : str, optional
        What the user can do about it.
    """

    def __init__(
        self, reason: str, *, path: str | os.PathLike[str] | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(reason, path, remedy)
        self.reason = reason
        self.path = os.fspath(path) if path is not None else None
        self.remedy = remedy

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        remedy = f". {self.remedy}" if self.remedy else ""
        return f"{where}{self.reason}{remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between worker processes.
        return (_rebuild, (type(self), self.reason, self.path, self.remedy))

    def at(self, path: str | os.PathLike[str] | None) -> AigLabelError:
        """Return this error naming `path`, for callers that know the file; keeps a name it has."""
        if self.path is None and path is not None:
            self.path = os.fspath(path)
        return self


def _rebuild(
    kind: type[AigLabelError], reason: str, path: str | None, remedy: str | None
) -> AigLabelError:
    return kind(reason, path=path, remedy=remedy)


class MediaError(AigLabelError):
    """The media file itself is the problem."""


class UnsupportedFormat(MediaError):
    """A kind of file, or a variant of one, that is not handled."""


class CorruptMedia(MediaError):
    """Broken, truncated or lying bytes."""


class ResourceLimit(MediaError):
    """More pixels, frames, bytes or seconds than the limits allow."""


class LabelError(AigLabelError, ValueError):
    """A label value the standard does not allow."""


class PayloadError(AigLabelError, ValueError):
    """A watermark payload of the wrong size or type."""


class PolicyError(AigLabelError, ValueError):
    """A policy that contradicts itself or is misspelt."""


class KeyMaterialError(AigLabelError):
    """A watermark key that cannot be read or written."""


class SigningError(AigLabelError):
    """C2PA certificates, keys, signing, or a parent whose credentials fail."""


class OutputError(AigLabelError):
    """The destination exists, cannot be written, or did not read back as written."""
