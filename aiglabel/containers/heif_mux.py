"""A HEIC still built from HEVC bitstreams (ISO/IEC 23008-12, ISO/IEC 14496-15).

One picture item, an optional alpha item and an optional EXIF item; nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

# EXIF orientation -> (quarter turns anticlockwise, then mirror axis: 0 top-bottom, 1 left-right)
_TURNS: dict[int, tuple[int, int | None]] = {
    1: (0, None), 2: (0, 1), 3: (2, None), 4: (0, 0),
    5: (1, 0), 6: (3, None), 7: (3, 0), 8: (1, None),
}  # fmt: skip

_PARAMETER_SETS = (32, 33, 34)  # VPS, SPS, PPS
_SLICES = range(32)
_ALPHA_URN = b"urn:mpeg:hevc:2015:auxid:1\0"
_MATRIX_BT601 = 6


@dataclass(frozen=True)
class Coded:
    """One HEVC intra picture, 8-bit 4:2:0.

    Parameters
    ----------
    stream : bytes
        Annex B byte stream of one access unit.
    width, height : int
        Coded size in the stream.
    """

    stream: bytes
    width: int
    height: int


def mux(
    picture: Coded,
    *,
    shown: tuple[int, int],
    alpha: Coded | None = None,
    orientation: int = 1,
    icc: bytes | None = None,
    cicp: tuple[int, int] = (1, 13),
    exif: bytes | None = None,
) -> bytes:
    """Return a HEIC file.

    Parameters
    ----------
    picture, alpha : Coded
        Full-range BT.601 Y'CbCr; `alpha` has the same size and its luma is the opacity.
    shown : (int, int)
        Width and height of the top left part that is the picture, before `orientation`.
    orientation : int
        EXIF orientation 1 to 8, written as ``irot`` and ``imir``.
    icc : bytes, optional
        Colour profile.
    cicp : (int, int)
        Colour primaries and transfer characteristics (ITU-T H.273).
    exif : bytes, optional
        EXIF block without its six byte prefix.
    """
    transforms = _transforms(picture, shown, orientation)
    base = [_size(picture), _box(b"pixi", b"\0\0\0\0\x03\x08\x08\x08")]
    colour = [_box(b"colr", b"nclx" + struct.pack(">HHHB", *cicp, _MATRIX_BT601, 0x80))]
    if icc:
        colour.append(_box(b"colr", b"prof" + icc))
    properties: list[bytes] = []
    items = [_Item(b"hvc1", _sample(picture), [_hvc_config(picture), *base, *colour, *transforms])]
    references = b""
    if alpha:
        auxiliary = _box(b"auxC", b"\0\0\0\0" + _ALPHA_URN)
        items.append(
            _Item(b"hvc1", _sample(alpha), [_hvc_config(alpha), *base, auxiliary, *transforms])
        )
        references += _box(b"auxl", struct.pack(">HHH", len(items), 1, 1))
    if exif:
        items.append(_Item(b"Exif", b"\0\0\0\0" + exif, []))
        references += _box(b"cdsc", struct.pack(">HHH", len(items), 1, 1))
    associations = _associate(items, properties)
    boxes = [
        _full_box(b"hdlr", b"\0\0\0\0pict" + b"\0" * 13),
        _full_box(b"pitm", struct.pack(">H", 1)),
        b"",  # iloc: its length is known, its offsets only when all else is laid out
        _item_infos(items),
        _full_box(b"iref", references) if references else b"",
        _box(b"iprp", _box(b"ipco", b"".join(properties)) + associations),
    ]
    head = _box(b"ftyp", b"heic\0\0\0\0mif1heic")
    boxes[2] = _locations(items, 0)
    start = len(head) + len(_full_box(b"meta", b"".join(boxes))) + 8
    boxes[2] = _locations(items, start)
    payload = b"".join(item.data for item in items)
    return head + _full_box(b"meta", b"".join(boxes)) + _box(b"mdat", payload)


@dataclass(frozen=True)
class _Item:
    kind: bytes
    data: bytes
    properties: list[bytes]


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload) + 8) + kind + payload


def _full_box(kind: bytes, payload: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags) + payload)


def _item_infos(items: list[_Item]) -> bytes:
    entries = [
        # Flag 1 hides an item that is not to be shown by itself.
        _full_box(b"infe", struct.pack(">HH", number, 0) + item.kind + b"\0", 2, int(number > 1))
        for number, item in enumerate(items, 1)
    ]
    return _full_box(b"iinf", struct.pack(">H", len(entries)) + b"".join(entries))


def _locations(items: list[_Item], start: int) -> bytes:
    body = struct.pack(">BBH", 0x44, 0, len(items))  # 4-byte offsets and lengths
    for number, item in enumerate(items, 1):
        body += struct.pack(">HHHII", number, 0, 1, start, len(item.data))
        start += len(item.data)
    return _full_box(b"iloc", body)


def _associate(items: list[_Item], properties: list[bytes]) -> bytes:
    """Fill `properties` with each distinct one once, and return ``ipma`` that points at them."""
    described = [(number, item) for number, item in enumerate(items, 1) if item.properties]
    body = struct.pack(">I", len(described))
    for number, item in described:
        body += struct.pack(">HB", number, len(item.properties))
        for prop in item.properties:
            if prop not in properties:
                properties.append(prop)
            # A reader that does not know how to decode, crop or turn must not show the picture.
            essential = prop[4:8] in (b"hvcC", b"clap", b"irot", b"imir")
            body += bytes([essential << 7 | properties.index(prop) + 1])
    return _full_box(b"ipma", body)


def _size(picture: Coded) -> bytes:
    return _full_box(b"ispe", struct.pack(">II", picture.width, picture.height))


def _transforms(picture: Coded, shown: tuple[int, int], orientation: int) -> list[bytes]:
    boxes = []
    width, height = shown
    if shown != (picture.width, picture.height):
        # The offset is between the centres, in halves of a pixel.
        across, down = width - picture.width, height - picture.height
        boxes.append(_box(b"clap", struct.pack(">4I", width, 1, height, 1)
                          + struct.pack(">iIiI", across, 2, down, 2)))  # fmt: skip
    quarters, axis = _TURNS[orientation]
    if quarters:
        boxes.append(_box(b"irot", bytes([quarters])))
    if axis is not None:
        boxes.append(_box(b"imir", bytes([axis])))
    return boxes


# ---------------------------------------------------------------------- HEVC


def _units(stream: bytes) -> Iterator[bytes]:
    """Yield the NAL units between the start codes of an Annex B stream."""
    for part in stream.split(b"\0\0\1")[1:]:
        unit = part.rstrip(b"\0")
        if len(unit) > 2:
            yield unit


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F


def _sample(picture: Coded) -> bytes:
    """Return the slices, each after its length, as an item's data."""
    slices = [unit for unit in _units(picture.stream) if _kind(unit) in _SLICES]
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in slices)


def _hvc_config(picture: Coded) -> bytes:
    """Return the ``hvcC`` box (ISO/IEC 14496-15, 8.3.3.1) from the stream's parameter sets."""
    sets = [unit for unit in _units(picture.stream) if _kind(unit) in _PARAMETER_SETS]
    sequence = next(unit for unit in sets if _kind(unit) == 33)
    # After two header bytes and one of ids stand the 12 bytes of profile, tier and level.
    profile = sequence.replace(b"\0\0\3", b"\0\0")[3:15]
    config = b"\1" + profile + b"\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f" + bytes([len(_PARAMETER_SETS)])
    for kind in _PARAMETER_SETS:
        units = [unit for unit in sets if _kind(unit) == kind]
        config += bytes([0x80 | kind]) + struct.pack(">H", len(units))
        config += b"".join(struct.pack(">H", len(unit)) + unit for unit in units)
    return _box(b"hvcC", config)
