"""What is published of neural watermarks, and how many whole payloads that comes to.

They need weights, and mostly a graphics card, so they are not run here. Their papers count right
bits; a label needs all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from benchmarks.report import Row


@dataclass(frozen=True)
class Neural:
    """One method, and the share of right bits it is said to keep after each attack.

    Attributes
    ----------
    name, source : str
    bits : int
        Raw bits in a picture.
    mended : int
        Wrong bits its error-correcting code puts right; 0 where it has none.
    kept : dict
        Attack to percentage of right bits.
    """

    name: str
    source: str
    bits: int
    mended: int
    kept: dict[str, float]

    def whole(self, right: float) -> float:
        """Percentage of payloads read exactly, were wrong bits independent of each other."""
        wrong = 1 - right / 100
        return 100 * sum(
            math.comb(self.bits, count) * wrong**count * (1 - wrong) ** (self.bits - count)
            for count in range(self.mended + 1)
        )


_WAM_PAPER = "WAM paper, table 7 (COCO)"
NEURAL: Final = (
    Neural(
        "WAM", f"{_WAM_PAPER}, 38 dB", 32, 0,
        {
            "none": 100, "crop to 20 %": 88.8, "crop to 50 %": 95.9, "rotated by 10°": 77.0,
            "perspective 0.1": 99.8, "mirrored": 100, "brightness × 2": 99.9, "JPEG 80": 99.9,
            "JPEG 50": 99.0, "blur, 17 px": 99.8, "median 7": 100, "10 % kept in a collage": 96.5,
            "combination": 87.2,
        },
    ),
    Neural(
        "TrustMark, 61 bits with BCH", f"{_WAM_PAPER}, 41 dB", 100, 5,
        {
            "none": 99.9, "crop to 20 %": 50.3, "crop to 50 %": 60.9, "rotated by 10°": 56.4,
            "perspective 0.1": 96.7, "mirrored": 99.9, "brightness × 2": 92.2, "JPEG 80": 99.9,
            "JPEG 50": 99.8, "blur, 17 px": 99.8, "median 7": 99.9,
            "10 % kept in a collage": 55.7, "combination": 58.8,
        },
    ),
    Neural(
        "Video Seal 1.0", "UniMark, W-Bench distortions, 45.5 dB", 256, 0,
        {
            "brightness × 2": 95.0, "contrast × 2": 97.8, "blur, 3 px": 99.5, "blur, 5 px": 81.5,
            "blur, 7 px": 70.9, "noise σ 5": 98.6, "noise σ 10": 92.9, "noise σ 15": 86.2,
            "noise σ 25.5": 76.3, "JPEG 70": 99.5, "JPEG 55": 98.8, "JPEG 40": 97.1,
            "JPEG 25": 92.5, "JPEG 10": 76.3,
        },
    ),
)  # fmt: skip
# The figure of Pixel Seal gives p-values, from which right bits follow; SynthID-O (136 bits) has
# published true-positive rates alone.
PIXEL_SEAL: Final = {"46 dB": 55.0, "47 dB": 50.0, "49.2 dB": 32.0}
SYNTHID_O: Final = (
    "SynthID-O (136 bits): true-positive rates at 0.1 % false positives of 99.97 to 100 % by class "
    "of attack; neither right bits nor payloads are published, and there is no public detector."
)


def rows() -> list[Row]:
    """One row a method and attack: right bits as published, payloads as they follow."""
    found: list[Row] = [
        _row(one, attack, right) for one in NEURAL for attack, right in one.kept.items()
    ]
    pixel_seal = Neural("Pixel Seal", "its figure, attacks not named", 256, 0, {})
    return found + [
        _row(pixel_seal, f"mean at {level}", right_bits(exponent, pixel_seal.bits))
        for level, exponent in PIXEL_SEAL.items()
    ]


def _row(one: Neural, attack: str, right: float) -> Row:
    whole = one.whole(right)
    return {
        "method": one.name,
        "source": one.source,
        "raw bits": one.bits,
        "attack": attack,
        "right bits %": right,
        "payloads % that follow": whole if whole >= 0.01 else 0,
    }


def right_bits(exponent: float, bits: int) -> float:
    """Percentage of right bits that chance reaches with a probability of 10^-`exponent`."""
    tail, logs = 0, []
    for wrong in range(bits + 1):
        tail += math.comb(bits, wrong)
        logs.append(abs(bits * math.log10(2) - math.log10(tail) - exponent))
    return 100 * (1 - logs.index(min(logs)) / bits)
