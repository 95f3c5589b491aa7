"""False-positive arithmetic shared by every detector."""

from __future__ import annotations

import math
from dataclasses import dataclass

from aiglabel.label import PAYLOAD_BYTES

FALSE_POSITIVE_RATE = 1e-9


# Best constant of Bentkus and Dzindzalieta (2015), 1 / (4 Q(√2)) = 3.17866, over √(2π).
_TAIL = 1.2682


def p_value(statistic: float, hypotheses_log: float) -> float:
    r"""Bound the chance that unmarked media reaches `statistic` under any hypothesis.

    With :math:`z = \sum c_i v_i / \sqrt{\sum v_i^2}` and keyed random signs :math:`c_i = ±1` that
    do not depend on the media, :math:`P(z \ge t) \le e^{-t^2/2}` (Hoeffding 1963) and
    :math:`P(z \ge t) \le 3.179\, Q(t) \le 1.2682\, e^{-t^2/2} / t` (Bentkus and Dzindzalieta, A
    tight Gaussian bound for weighted sums of Rademacher random variables, Bernoulli 21, 2015) for
    *any* media: no model of pictures enters. The union bound multiplies by the number of sign
    patterns that were looked at.

    Parameters
    ----------
    statistic : float
    hypotheses_log : float
        Natural logarithm of the number of sign patterns (codewords × geometries × keys).
    """
    exponent = hypotheses_log - _exponent(max(statistic, 0.0))
    return math.exp(min(exponent, 0.0))


def threshold(hypotheses_log: float, rate: float = FALSE_POSITIVE_RATE) -> float:
    """Return the statistic whose `p_value` is `rate`."""
    wanted = hypotheses_log - math.log(rate)
    # Newton's method, from above: the exponent grows ever faster.
    statistic = math.sqrt(2 * wanted)
    for _ in range(4):
        excess = _exponent(statistic) - wanted
        statistic -= excess / (statistic + (1 / statistic if statistic > _TAIL else 0))
    return statistic


def _exponent(statistic: float) -> float:
    """Minus the logarithm of the bound for one sign pattern."""
    return statistic**2 / 2 + math.log(max(statistic / _TAIL, 1.0))


@dataclass(frozen=True)
class Tried:
    """What a detector tries at most for one key in one look, and how the rate is shared.

    Attributes
    ----------
    decodings : int
        Times a message is decoded. Of the 2**88 information words only the 2**64 with a right tag
        count: no other is returned.
    places : int
        Places at which pilots are compared.
    tests : int
        Tests that share the false-positive rate: the message, the pilots, and others.
    """

    decodings: int
    places: int
    tests: int

    def hypotheses(self, looks: int) -> tuple[float, float]:
        """Natural logarithms of the number of sign patterns tried: messages, pilots.

        `looks` are keys times pictures (or pieces of a sound) that one answer is given for.
        """
        times = math.log(max(looks, 1))
        return (
            8 * PAYLOAD_BYTES * math.log(2) + math.log(self.decodings) + times,
            math.log(self.places) + times,
        )

    def limits(self, looks: int) -> tuple[float, float]:
        """Thresholds of the message's and of the pilots' statistic.

        Each keeps its share of the false-positive rate over everything that is tried.
        """
        message, pilots = self.hypotheses(looks)
        rate = FALSE_POSITIVE_RATE / self.tests
        return threshold(message, rate), threshold(pilots, rate)

    def p_value(self, statistic: float, looks: int, *, message: bool) -> float:
        """Upper bound for a message that was read, or for pilots, over everything that is tried."""
        hypotheses = self.hypotheses(looks)[0 if message else 1]
        return min(1.0, self.tests * p_value(statistic, hypotheses))
