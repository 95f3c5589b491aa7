"""H.264 as files hold it: a byte stream, samples with lengths, and the decoder's configuration.

ISO/IEC 14496-10 Annex B (start codes), 7.3.2 (parameter sets); ISO/IEC 14496-15, 5.3.3.1
(``AVCDecoderConfigurationRecord``): a configuration may hold several parameter sets, told apart by
their numbers; every picture names those it needs. So pictures of two encoders share one track.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Self

from aiglabel.containers.bounds import take, uint
from aiglabel.containers.isobmff import pack
from aiglabel.errors import CorruptMedia, UnsupportedFormat

SLICE: Final = 1
IDR: Final = 5
_SEI, _SPS, _PPS, _DELIMITER = 6, 7, 8, 9
_MOST_IDS = 32  # of sequence parameter sets
_WHAT = "the configuration of H.264"


@dataclass(frozen=True)
class Configuration:
    """What a decoder must know before the first picture.

    Parameters
    ----------
    profile, compatibility, level : int
    length_size : int
        Bytes that tell the length of a unit in a sample.
    sequences, pictures : tuple of bytes
        Parameter sets.
    rest : bytes
        What follows, as of High profile.
    """

    profile: int
    compatibility: int
    level: int
    length_size: int
    sequences: tuple[bytes, ...]
    pictures: tuple[bytes, ...]
    rest: bytes = b""

    @classmethod
    def parsed(cls, data: bytes) -> Self:
        """Read the content of an ``avcC`` box.

        Raises
        ------
        CorruptMedia
        """
        if uint(data, 0, 1, _WHAT) != 1:
            raise CorruptMedia(f"{_WHAT} is of an unknown version")
        at, found = 5, list[tuple[bytes, ...]]()
        for mask in (0x1F, 0xFF):
            count, units = uint(data, at, 1, _WHAT) & mask, list[bytes]()
            at += 1
            for _ in range(count):
                size = uint(data, at, 2, _WHAT)
                units.append(take(data, at + 2, size, _WHAT))
                at += 2 + size
            found.append(tuple(units))
        return cls(data[1], data[2], data[3], (data[4] & 3) + 1, found[0], found[1], data[at:])

    def packed(self) -> bytes:
        """Return the content of an ``avcC`` box.

        Raises
        ------
        UnsupportedFormat
            There are too many parameter sets.
        """
        if len(self.sequences) > 31 or len(self.pictures) > 255:
            raise UnsupportedFormat(f"{_WHAT} has no room for more")
        head = bytes([1, self.profile, self.compatibility, self.level, 0xFB + self.length_size])
        units = [bytes([0xE0 + len(self.sequences)]), *map(_sized, self.sequences)]
        units += [bytes([len(self.pictures)]), *map(_sized, self.pictures)]
        return head + b"".join(units) + self.rest

    @property
    def free_id(self) -> int:
        """A number that no parameter set has.

        Raises
        ------
        UnsupportedFormat
            All are taken.
        """
        taken = {_first_number(one, 4) for one in self.sequences}
        taken |= {_first_number(one, 1) for one in self.pictures}
        free = next((one for one in range(_MOST_IDS) if one not in taken), None)
        if free is None:
            raise UnsupportedFormat(f"{_WHAT} has no free number")
        return free

    def joined(self, sequence: bytes, picture: bytes) -> Self:
        """Return the configuration with one more of each, of pictures no harder to decode.

        Raises
        ------
        UnsupportedFormat
            Those ask for a higher profile or level, or have a number that is taken.
        """
        number = _first_number(sequence, 4)
        if number != self.free_id or number != _first_number(picture, 1):
            raise UnsupportedFormat("the parameter sets have a number that is taken")
        if sequence[1] > self.profile or sequence[3] > self.level:
            raise UnsupportedFormat("the new pictures are harder to decode than the old ones")
        return replace(
            self, sequences=(*self.sequences, sequence), pictures=(*self.pictures, picture)
        )

    def units(self, sample: bytes) -> Iterator[bytes]:
        """Yield the units of a sample.

        Raises
        ------
        CorruptMedia
        """
        at = 0
        while at < len(sample):
            size = uint(sample, at, self.length_size, "an H.264 sample")
            yield take(sample, at + self.length_size, size, "an H.264 sample")
            at += self.length_size + size


@dataclass(frozen=True)
class Coded:
    """Pictures of an encoder: their parameter sets, their samples, and which begin anew (IDR)."""

    sequence: bytes
    picture: bytes
    samples: list[bytes]
    keys: list[int]


def coded(stream: bytes, length_size: int) -> Coded:
    """Take a byte stream apart that has a delimiter before every picture, as samples of a file.

    Delimiters, messages (SEI) and parameter sets are left out of the samples.

    Raises
    ------
    UnsupportedFormat
        There are several parameter sets of a kind, or none, or samples too long.
    """
    sets: dict[int, set[bytes]] = {_SPS: set(), _PPS: set()}
    samples, keys = list[bytes](), list[int]()
    for unit in stream.split(b"\0\0\1")[1:]:
        unit = unit.rstrip(b"\0")  # no unit ends in a zero, longer start codes begin with one
        kind = unit_type(unit)
        if kind == _DELIMITER:
            samples.append(b"")
        elif kind in sets:
            sets[kind].add(unit)
        elif kind != _SEI and samples:
            if kind == IDR and keys[-1:] != [len(samples) - 1]:
                keys.append(len(samples) - 1)
            samples[-1] += pack(len(unit), length_size) + unit
    if any(len(one) != 1 for one in sets.values()) or not all(samples):
        raise UnsupportedFormat("the new pictures do not have one parameter set of each kind")
    return Coded(sets[_SPS].pop(), sets[_PPS].pop(), samples, keys)


def unit_type(unit: bytes) -> int:
    """Return the type of a unit; 0 of an empty one."""
    return unit[0] & 31 if unit else 0


def starts_anew(units: Iterator[bytes]) -> bool:
    """Whether a sample is an IDR picture without parameter sets of its own."""
    found = [unit_type(unit) for unit in units]
    return IDR in found and SLICE not in found and not {_SPS, _PPS} & set(found)


def _sized(unit: bytes) -> bytes:
    return pack(len(unit), 2) + unit


def _first_number(unit: bytes, at: int) -> int:
    """Return the number in front of a parameter set, from byte `at` on: ue(v), 9.1."""
    bits = "".join(f"{byte:08b}" for byte in unit[at : at + 4])
    zeros = len(bits) - len(bits.lstrip("0"))
    if 2 * zeros + 1 > len(bits):
        raise CorruptMedia(f"{_WHAT} ends early")
    return int(bits[zeros : 2 * zeros + 1], 2) - 1
