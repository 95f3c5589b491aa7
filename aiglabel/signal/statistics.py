"""False-positive arithmetic shared by every detector."""

from __future__ import annotations

import math

FALSE_POSITIVE_RATE = 1e-9


def p_value(statistic: float, hypotheses_log: float) -> float:
    r"""Bound the chance that unmarked media reaches `statistic` under any hypothesis.

    With :math:`z = \sum c_i v_i / \sqrt{\sum v_i^2}` and keyed random signs :math:`c_i = ±1` that
    do not depend on the media, Hoeffding's inequality gives :math:`P(z \ge t) \le e^{-t^2/2}` for
    *any* media: no model of pictures enters. The union bound multiplies by the number of sign
    patterns that were looked at.

    Parameters
    ----------
    statistic : float
    hypotheses_log : float
        Natural logarithm of the number of sign patterns (codewords × geometries × keys).
    """
    exponent = hypotheses_log - max(statistic, 0.0) ** 2 / 2
    return math.exp(min(exponent, 0.0))


def threshold(hypotheses_log: float, rate: float = FALSE_POSITIVE_RATE) -> float:
    """Return the statistic whose `p_value` is `rate`."""
    return math.sqrt(2 * (hypotheses_log - math.log(rate)))
