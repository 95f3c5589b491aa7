"""Metadata carriers: one packet at its place, pixels and everything else untouched."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import struct
import subprocess
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageSequence, PngImagePlugin

from aiglabel.containers import (
    Format,
    carry_over,
    coded_digest,
    has_c2pa,
    jpeg,
    read_texts,
    read_xmp,
    sniff,
    tiff,
    write_xmp,
    xmp,
)  # fmt: skip
from aiglabel.containers import exif as exif_blocks
from aiglabel.containers.isobmff import box, metas
from aiglabel.errors import CorruptMedia, MediaError, ResourceLimit, UnsupportedFormat

SHARED = Path(__file__).resolve().parents[2] / "shared"
NS = "http://www.tc260.org.cn/ns/AIGC/1.0/"
AIGC = (NS, "TC260", "AIGC")
VALUE = '{"Label":"1","ContentProducer":"001191110102MACQD9K64010000","ProduceID":"p-1"}'
PACKET = xmp.set_properties(None, {AIGC: VALUE})
OTHER = xmp.set_properties(None, {("urn:x", "x", "y"): "other"})


def picture(mode: str = "RGB", seed: int = 1, size: tuple[int, int] = (33, 20)) -> Image.Image:
    shape = (size[1], size[0], 4)
    noise = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


def saved(fmt: str, mode: str = "RGB", frames: int = 1, **options: object) -> bytes:
    out = io.BytesIO()
    images = [picture(mode, seed) for seed in range(frames)]
    if frames > 1:
        options |= {"save_all": True, "append_images": images[1:]}
    images[0].save(out, fmt, **options)
    return out.getvalue()


def pixels(data: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(data)) as image:
        return [frame.convert("RGBA").tobytes() for frame in ImageSequence.Iterator(image)]


def big_endian_tiff() -> bytes:
    raw = picture("L").tobytes()
    tags = [(256, 33), (257, 20), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 20)]
    tags.append((279, len(raw)))
    rows = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"MM\0*" + struct.pack(">I", 8 + len(raw))
    return head + raw + struct.pack(">H", len(tags)) + rows + bytes(4)


def heic(
    *,
    version: int = 1,
    widths: int = 0x4440,
    in_idat: bool = False,
    base: int = 0,
    after: bytes = b"",
) -> bytes:
    """A HEIC skeleton with two picture items, the second in two extents."""
    payloads = [b"first picture", b"second ", b"picture"]

    def full(kind: bytes, body: bytes, version: int = 0) -> bytes:
        return box(kind, bytes([version, 0, 0, 0]) + body)

    def build(start: int) -> bytes:
        places = [start, start + 13, start + 20]
        offset, length, wide_base = widths >> 12, widths >> 8 & 15, widths >> 4 & 15
        wide = 4 if version == 2 else 2
        iloc = struct.pack(">H", widths) + (2).to_bytes(wide, "big")
        for item, extents in ((1, [0]), (2, [1, 2])):
            method = struct.pack(">H", in_idat) if version else b""
            iloc += item.to_bytes(wide, "big") + method + bytes(2)
            origin = places[0] if offset == 0 else base
            iloc += origin.to_bytes(wide_base, "big") + struct.pack(">H", len(extents))
            for n in extents:
                iloc += (places[n] - origin if offset else 0).to_bytes(offset, "big")
                iloc += len(payloads[n]).to_bytes(length, "big")
        infe = b"".join(full(b"infe", struct.pack(">HH", n, 0) + b"hvc1\0", 2) for n in (1, 2))
        parts = [
            full(b"hdlr", bytes(4) + b"pict" + bytes(13)),
            full(b"pitm", b"\0\1"),
            full(b"iloc", iloc, version),
            full(b"iinf", b"\0\2" + infe),
            box(b"iprp", box(b"ipco", b"")),
            box(b"idat", b"".join(payloads)) if in_idat else b"",
        ]
        head = box(b"ftyp", b"heic" + bytes(4) + b"heic") + full(b"meta", b"".join(parts))
        return head + after + (b"" if in_idat else box(b"mdat", b"".join(payloads)))

    if in_idat:
        return build(0)
    return build(len(build(base)) - len(b"".join(payloads)))


def tiff_with_exif(data: bytes) -> bytes:
    """The texts of `EXIF` in a little-endian TIFF."""
    out, comment = bytearray(data), b"ASCII\0\0\0" + VALUE.encode()
    row = tiff._row(tiff.Tag(0x9286, 7, len(comment), comment), out, "little")
    at = tiff._append_directory({0x9286: row}, 0, out, "little").to_bytes(4, "little")
    description = tiff.Tag(0x010E, 2, 14, b"a description\0")
    return tiff._with_tags(bytes(out), [description, tiff.Tag(0x8769, 4, 1, at)])


EXIF = Image.Exif()
EXIF[0x010E] = "a description"
EXIF.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + VALUE.encode()
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

FILES = {
    "jpeg": lambda: saved("JPEG"),
    "jpeg progressive": lambda: saved("JPEG", "L", progressive=True, exif=EXIF, comment=b"c"),
    "jpeg cmyk": lambda: saved("JPEG", "CMYK", icc_profile=ICC),
    "jpeg mpo": lambda: saved("MPO", frames=2),
    "jpeg trailer": lambda: saved("JPEG") + b"SEFH motion photo",
    "png": lambda: saved("PNG", exif=EXIF, dpi=(300, 300), icc_profile=ICC),
    "png palette": lambda: saved("PNG", "P", transparency=3),
    "apng": lambda: saved("PNG", frames=3),
    "webp": lambda: saved("WEBP"),
    "webp alpha": lambda: saved("WEBP", "RGBA", exif=EXIF, icc_profile=ICC),
    "webp lossless": lambda: saved("WEBP", "RGBA", lossless=True),
    "webp animated": lambda: saved("WEBP", frames=3),
    "gif": lambda: saved("GIF", "L"),
    "gif animated": lambda: saved("GIF", frames=3, loop=0, comment=b"c"),
    "tiff": lambda: tiff_with_exif(saved("TIFF", compression="tiff_lzw")),
    "tiff jpeg": lambda: saved("TIFF", compression="jpeg", icc_profile=ICC),
    "tiff pages": lambda: saved("TIFF", frames=3),
    "tiff big-endian": big_endian_tiff,
    "avif": lambda: saved("AVIF", speed=10),
    "avif exif": lambda: saved("AVIF", "RGBA", speed=10, exif=EXIF, icc_profile=ICC),
    "avif sequence": lambda: saved("AVIF", frames=3, speed=10),
    "avif sequence xmp": lambda: saved("AVIF", frames=3, speed=10, exif=EXIF, xmp=OTHER),
    "heic": heic,
    "heic idat": lambda: heic(in_idat=True),
    "heic base": lambda: heic(version=0, widths=0x4440),
    "heic no base": lambda: heic(version=2, widths=0x4400),
    "heic wide": lambda: heic(version=1, widths=0x8888 & 0xFFF0),
}
MADE = {name: make() for name, make in FILES.items()}
SKELETONS = [name for name in MADE if name.startswith("heic")]
ALL = pytest.mark.parametrize("name", MADE)


def chosen(name: str) -> tuple[bytes, Format]:
    return MADE[name], sniff(MADE[name])


@ALL
def test_write_leaves_one_packet_and_the_same_pixels(name):
    data, fmt = chosen(name)
    texts = read_texts(data, fmt)
    written = write_xmp(data, fmt, PACKET)
    assert read_xmp(written, fmt) == [PACKET]
    assert coded_digest(written, fmt) == coded_digest(data, fmt)
    assert read_texts(written, fmt) == texts
    assert not has_c2pa(written, fmt)
    again = write_xmp(written, fmt, OTHER)
    assert read_xmp(again, fmt) == [OTHER]
    assert VALUE.encode() not in again.replace(b"ASCII\0\0\0" + VALUE.encode(), b"")
    assert coded_digest(again, fmt) == coded_digest(data, fmt)
    if name not in SKELETONS:
        assert pixels(again) == pixels(data)
    else:
        assert payloads(again) == [b"first picture", b"second picture"]


def payloads(data: bytes) -> list[bytes]:
    meta = metas(data)[0]
    numbers = meta.numbers(lambda item: item.kind == b"hvc1")
    return [b"".join(data[a:b] for a, b in meta.spans(number)) for number in numbers]


@pytest.mark.filterwarnings("ignore")
@ALL
def test_a_change_of_pixels_is_a_change_of_digest(name):
    data, fmt = chosen(name)
    if name in SKELETONS:
        at = data.index(b"second ")
        assert coded_digest(data[:at] + b"S" + data[at + 1 :], fmt) != coded_digest(data, fmt)
        return
    digest, shown, rng, seen = coded_digest(data, fmt), pixels(data), random.Random(name), 0
    for _ in range(60):
        at = rng.randrange(rng.choice((len(data), min(len(data), 400))))
        changed = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        try:
            differs = pixels(changed)[:1] != shown[:1]  # in JPEG, the first picture only
            other = coded_digest(changed, fmt)
        except Exception:  # whatever a decoder raises for broken files
            continue
        assert not differs or other != digest, at
        seen += differs
    assert seen or fmt is Format.PNG  # where checksums turn every flip into an error


def test_pillow_reads_what_is_written():
    for name in ("jpeg", "png", "webp", "webp animated", "avif", "avif sequence xmp", "tiff"):
        data, fmt = chosen(name)
        with Image.open(io.BytesIO(write_xmp(data, fmt, PACKET))) as image:
            found = image.info.get("xmp")
        assert found == PACKET, name
    gif = write_xmp(*chosen("gif"), PACKET)
    assert gif.startswith(b"GIF89a")


# Odd files ----------------------------------------------------------------------------------------


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(*chunks: bytes) -> bytes:
    data = MADE["png palette"]
    return data[:33] + b"".join(chunks) + data[33:]


def two_packets(fmt: Format) -> bytes:
    first = write_xmp(MADE[{"heic": "heic base"}.get(fmt.value, fmt.value)], fmt, OTHER)
    if fmt is Format.JPEG:
        segment = jpeg._segment(0xE1, jpeg._XMP + PACKET)
        return first[:2] + segment + first[2:]
    if fmt is Format.PNG:
        at = first.index(b"iTXt") - 4
        return first[:at] + png_chunk(b"tEXt", b"XML:com.adobe.xmp\0" + PACKET) + first[at:]
    if fmt is Format.WEBP:
        chunk = b"XMP " + struct.pack("<I", len(PACKET)) + PACKET + bytes(len(PACKET) % 2)
        size = struct.pack("<I", len(first) - 8 + len(chunk))
        return first[:4] + size + first[8:] + chunk
    if fmt is Format.GIF:
        at = first.index(b"\x21\xff\x0bXMP")
        return (
            first[:at]
            + first[at:].partition(OTHER)[0]
            + PACKET
            + first[at + 14 + len(OTHER) :][:258]
            + first[at:]
        )
    # A second uuid box, as MP4 tools write it.
    uuid = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    return first + box(b"uuid", uuid + PACKET)


@pytest.mark.parametrize("fmt", [f for f in Format if f is not Format.TIFF])
def test_two_packets_are_reported_as_two_and_written_as_one(fmt):
    data = two_packets(fmt)
    assert sorted(read_xmp(data, fmt)) == sorted([OTHER, PACKET])
    written = write_xmp(data, fmt, PACKET)
    assert read_xmp(written, fmt) == [PACKET]
    assert b"other" not in written
    assert coded_digest(written, fmt) == coded_digest(data, fmt)


def test_png_packets_in_every_spelling():
    raw = b"\nxmp\n%8d\n" % len(PACKET) + PACKET.hex().encode()
    forms = [
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0\0" + zlib.compress(PACKET)),
        png_chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + zlib.compress(PACKET)),
        png_chunk(b"tEXt", b"XML:com.adobe.xmp\0" + PACKET),
        png_chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(raw)),
    ]
    data = with_chunks(*forms)
    assert read_xmp(data, Format.PNG) == [PACKET] * 4
    written = write_xmp(data, Format.PNG, OTHER)
    assert read_xmp(written, Format.PNG) == [OTHER]
    assert written.index(b"iTXtXML:com.adobe.xmp\0\0\0\0\0") < written.index(b"IDAT")
    assert read_texts(data, Format.PNG) == []


def extended_jpeg() -> bytes:
    long = b"<x:xmpmeta>" + b"depth" * 30_000 + b"</x:xmpmeta>"
    guid = b"0123456789ABCDEF0123456789ABCDEF"
    parts = [(at, long[at : at + 60_000]) for at in range(0, len(long), 60_000)]
    segments = b"".join(
        jpeg._segment(0xE1, jpeg._EXTENDED + guid + struct.pack(">II", len(long), at) + part)
        for at, part in reversed(parts)
    )
    data = write_xmp(MADE["jpeg"], Format.JPEG, OTHER)
    return data[:20] + segments + data[20:]


def test_extended_xmp_is_joined_and_kept():
    data = extended_jpeg()
    standard, extended = read_xmp(data, Format.JPEG)
    assert standard == OTHER
    assert len(extended) == 150_023
    assert read_xmp(write_xmp(data, Format.JPEG, PACKET), Format.JPEG) == [PACKET, extended]


def test_a_jpeg_segment_holds_65502_bytes():
    filler = "x" * (65_502 - len(xmp.without_padding(PACKET)))
    full = xmp.set_properties(None, {AIGC: VALUE + filler})
    assert len(full) > 65_502
    written = write_xmp(MADE["jpeg"], Format.JPEG, full)
    assert read_xmp(written, Format.JPEG) == [xmp.without_padding(full)]
    assert pixels(written) == pixels(MADE["jpeg"])
    too_long = xmp.set_properties(None, {AIGC: VALUE + filler + "xx"})
    with pytest.raises(ResourceLimit, match="65504"):
        write_xmp(MADE["jpeg"], Format.JPEG, too_long)


@pytest.mark.parametrize("behind", [False, True])
def test_further_pictures_of_a_jpeg_are_found_again(behind):
    data = MADE["jpeg mpo"]
    if behind:  # an old packet behind the MPF segment, whose removal moves the second picture
        segment = jpeg._segment(0xE1, jpeg._XMP + OTHER)
        end = next(s.end for s in jpeg._header(data) if s.kind == "MPF")
        table = next(s for s in jpeg._header(data) if s.kind == "MPF")
        moved = jpeg._shifted_mpf(table, [(end, end, segment)])
        data = data[: end - len(moved)] + moved + segment + data[end:]
        assert pixels(data) == pixels(MADE["jpeg mpo"])
    written = write_xmp(data, Format.JPEG, PACKET)
    assert read_xmp(written, Format.JPEG) == [PACKET]
    assert len(pixels(written)) == 2
    assert pixels(written) == pixels(MADE["jpeg mpo"])
    with Image.open(io.BytesIO(written)) as image:
        first, second = image.mpinfo[0xB002]
    assert first["Size"] == second["DataOffset"] + written.index(b"MPF\0") + 4


def test_the_jpeg_packet_follows_jfif_and_exif():
    data = saved("JPEG", exif=EXIF, comment=b"c", icc_profile=ICC)
    kinds = [s.kind for s in jpeg._header(write_xmp(data, Format.JPEG, PACKET)) if s.kind]
    assert kinds == ["JFIF", "EXIF", "XMP", "ICC", "COM"]


def test_webp_chunks_stand_in_order():
    data = write_xmp(MADE["webp alpha"], Format.WEBP, PACKET)
    order = [data.index(kind) for kind in (b"VP8X", b"ICCP", b"ALPH", b"VP8 ", b"EXIF", b"XMP ")]
    assert order == sorted(order)
    assert data[20] == 0x20 | 0x10 | 0x08 | 0x04
    simple = write_xmp(MADE["webp lossless"], Format.WEBP, PACKET)
    assert simple[20] == 0x10 | 0x04
    assert simple[24:30] == struct.pack("<I", 32)[:3] + struct.pack("<I", 19)[:3]


def test_gif_packets_without_the_trailer_are_read():
    blocks = b"".join(
        bytes([len(p)]) + p for p in (OTHER[i : i + 200] for i in range(0, len(OTHER), 200))
    )
    at = write_xmp(MADE["gif"], Format.GIF, PACKET).index(b"\x21\xff\x0bXMP")
    data = MADE["gif"]
    data = data[:at] + b"\x21\xff\x0bXMP DataXMP" + blocks + b"\0" + data[at:]
    assert read_xmp(data, Format.GIF) == [OTHER]
    with pytest.raises(CorruptMedia, match="NUL"):
        write_xmp(data, Format.GIF, PACKET.decode().encode("utf-16"))


def test_tiff_type_and_byte_order_follow_the_guide():
    for name in ("tiff", "tiff big-endian"):
        data = write_xmp(MADE[name], Format.TIFF, PACKET)
        ifd, _ = exif_blocks.first_directory(data)
        entry = ifd.find(700)
        assert (entry.kind, entry.count) == (7, len(PACKET))
        tags = [entry.tag for entry in ifd.entries]
        assert tags == sorted(tags)


def test_boxes_that_grow_or_end_the_file():
    data = MADE["heic base"]
    open_end = data[:-35] + bytes(4) + data[-31:]  # mdat of size 0: to the end of the file
    assert coded_digest(open_end, Format.HEIC) == coded_digest(data, Format.HEIC)
    assert payloads(write_xmp(open_end, Format.HEIC, PACKET)) == payloads(data)
    large = data[:-35] + struct.pack(">I4sQ", 1, b"mdat", 43) + data[-27:]
    assert sniff(large) is Format.HEIC
    with pytest.raises(UnsupportedFormat, match="fragment"):
        write_xmp(data + box(b"moof", b""), Format.HEIC, PACKET)
    only_base = heic(version=1, widths=0x0440)  # as contentauth's sample1.avif
    assert payloads(write_xmp(only_base, Format.HEIC, PACKET))[0] == b"first picture"


def test_a_base_offset_is_used_where_there_is_room_for_one():
    """c2pa 0.38 moves offsets in extents twice when the base is zero (facts 0.11 b)."""
    written = write_xmp(heic(base=0), Format.HEIC, PACKET)
    assert all(entry.base for entry in metas(written)[0].locations.entries.values())


def test_track_items_of_a_sequence_stand_on_their_own():
    """c2pa 0.38 does not move the item locations of tracks, so they must not need moving."""
    written = write_xmp(*chosen("avif sequence xmp"), PACKET)
    _, of_track = metas(written)
    assert of_track.track is not None
    assert all(entry.method == 1 for entry in of_track.locations.entries.values())
    assert len(of_track.items) == 2


# Texts --------------------------------------------------------------------------------------------


def test_texts_are_found_in_every_carrier_of_the_wild():
    wrapped = '{"AIGC":' + VALUE + "}"
    png = with_chunks(
        png_chunk(b"tEXt", b"AIGC\0" + VALUE.encode()),
        png_chunk(b"zTXt", b"AIGC\0\0" + zlib.compress(wrapped.encode())),
        png_chunk(b"iTXt", b"AIGC\0\0\0\0\0" + "标识".encode()),
    )
    found = [(t.carrier, t.key, t.text) for t in read_texts(png, Format.PNG)]
    assert found == [
        ("PNG tEXt AIGC", "AIGC", VALUE),
        ("PNG zTXt AIGC", "AIGC", wrapped),
        ("PNG iTXt AIGC", "AIGC", "标识"),
    ]
    exif = [("EXIF ImageDescription", "a description"), ("EXIF UserComment", VALUE)]
    for name in ("jpeg progressive", "png", "webp alpha", "tiff", "avif exif"):
        assert [(t.carrier, t.text) for t in read_texts(*chosen(name))] == exif, name


def test_labels_glued_into_jpeg_segments():
    start = MADE["jpeg"][:20]
    odd = '{"Label":"1","ProduceID":"}\\"{"}'
    glued = [(0xEB, b"junk AIGC" + VALUE.encode() + b"tail"), (0xFE, f'{{"AIGC": {odd}}}'.encode())]
    data = start + b"".join(jpeg._segment(*one) for one in glued) + MADE["jpeg"][20:]
    found = [(t.carrier, t.text) for t in read_texts(data, Format.JPEG)]
    assert found == [("JPEG APP11 text", VALUE), ("JPEG COM text", odd)]
    assert json.loads(found[1][1])["ProduceID"] == '}"{'


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"ASCII\0\0\0" + b"abc\0\0", "abc"),
        (b"UNICODE\0" + "abc".encode("utf-16-le"), "abc"),
        (b"UNICODE\0" + "abc".encode("utf-16-be"), "abc"),
        (b"UNICODE\0" + "标识".encode("utf-16-be"), "标识"),
        (bytes(8) + "标识".encode(), "标识"),
        (b"JIS\0\0\0\0\0" + "標識".encode("iso2022_jp"), "標識"),
        (b"no code at all", "no code at all"),
    ],
)
def test_user_comments_by_character_code(raw, text):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = raw
    data = saved("JPEG", exif=exif)
    assert [t.text for t in read_texts(data, Format.JPEG)] == [text]


# Carrying over ------------------------------------------------------------------------------------


def exif_with_thumbnail() -> bytes:
    """EXIF with a thumbnail in IFD1."""
    block = EXIF.tobytes().removeprefix(b"Exif\0\0")
    ifd, order = exif_blocks.first_directory(block)
    assert order == "big"
    second = len(block) + len(block) % 2
    block = block.ljust(second, b"\0")
    at = second + 2 + 24 + 4
    rows = struct.pack(">HHHII", 2, 513, 4, 1, at)
    rows += struct.pack(">HHII", 514, 4, 1, 8) + bytes(4)
    link = second.to_bytes(4, order)
    return block[: ifd.link_at] + link + block[ifd.link_at + 4 :] + rows + b"\xff\xd8thumb!"


def test_the_exif_thumbnail_goes_and_nothing_moves():
    block = exif_with_thumbnail()
    without = exif_blocks.without_thumbnail(block)
    assert len(without) == len(block)
    assert b"thumb" not in without
    assert exif_blocks.read_texts(without) == exif_blocks.read_texts(block) != []
    assert exif_blocks.without_thumbnail(without) == without


IRB = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 5) + b"thumb\0" + b"8BIM\x04\x04\0\0\0\0\0\x04IPTC"


def jpeg_source() -> bytes:
    exif = exif_with_thumbnail()
    data = saved("JPEG", exif=b"Exif\0\0" + exif, icc_profile=ICC, dpi=(300, 300), comment=b"hi")
    extra = [
        (0xED, b"Photoshop 3.0\0" + IRB), (0xEE, b"Adobe\0d\0\0\0\0\0\0"), (0xEB, b"JPc2pa"),
        (0xE5, b"unknown"), (0xE2, b"MPF\0"),
    ]  # fmt: skip
    segments = b"".join(jpeg._segment(*one) for one in extra)
    return write_xmp(data[:20] + segments + data[20:], Format.JPEG, PACKET) + b"trailer"


def test_jpeg_metadata_is_carried_over():
    source, coded = jpeg_source(), saved("JPEG", quality=60)
    result, lost = carry_over(source, coded, Format.JPEG)
    kinds = [s.kind for s in jpeg._header(result) if s.kind]
    assert kinds == ["JFIF", "EXIF", "XMP", "Photoshop", "APP5", "ICC", "COM"]
    assert lost == [
        "Photoshop thumbnail", "further pictures in the file (MPF)", "EXIF thumbnail",
        "data after the end of the picture",
    ]  # fmt: skip
    assert b"thumb" not in result
    assert b"IPTC" in result
    assert coded_digest(result, Format.JPEG) == coded_digest(coded, Format.JPEG)
    assert read_texts(result, Format.JPEG) == read_texts(source, Format.JPEG)
    with Image.open(io.BytesIO(result)) as image:
        assert image.info["dpi"] == (300, 300)
        assert image.info["comment"] == b"hi"
        assert image.info["icc_profile"] == ICC
    again, _ = carry_over(source, result, Format.JPEG)
    assert [s.kind for s in jpeg._header(again) if s.kind].count("EXIF") == 1


def test_png_metadata_is_carried_over():
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "t")
    info.add(b"caBX", b"manifest")
    info.add(b"gAMA", struct.pack(">I", 45455))
    info.add(b"vpAg", b"private, safe to copy")
    info.add(b"orNT", b"\1")
    source = write_xmp(
        saved("PNG", "P", pnginfo=info, dpi=(300, 300), exif=exif_with_thumbnail(), transparency=1),
        Format.PNG,
        PACKET,
    )
    assert has_c2pa(source, Format.PNG)
    coded = saved("PNG", "P", icc_profile=ICC)
    result, lost = carry_over(source, coded, Format.PNG)
    assert lost == ["PNG chunk orNT, which is not safe to copy", "EXIF thumbnail"]
    assert not has_c2pa(result, Format.PNG)
    assert result.count(b"tRNS") == coded.count(b"tRNS")
    assert read_xmp(result, Format.PNG) == [PACKET]
    assert pixels(result) == pixels(coded)
    with Image.open(io.BytesIO(result)) as image:
        image.load()
        assert image.info["Title"] == "t"
        assert round(image.info["dpi"][0]) == 300
        assert image.info["gamma"] == 0.45455
        assert image.getexif()[0x010E] == "a description"
    assert carry_over(source, result, Format.PNG)[0] == result


def test_webp_gif_tiff_and_avif_metadata_are_carried_over():
    sources = {
        Format.WEBP: saved("WEBP", "RGBA", exif=exif_with_thumbnail(), icc_profile=ICC),
        Format.GIF: saved("GIF", "L", comment=b"hi"),
        Format.TIFF: tiff_with_exif(saved("TIFF", icc_profile=ICC, dpi=(300, 300))),
        Format.AVIF: saved("AVIF", speed=10, exif=exif_with_thumbnail(), icc_profile=ICC),
    }
    coded = {
        Format.WEBP: saved("WEBP", lossless=True),
        Format.GIF: saved("GIF", "L"),
        Format.TIFF: big_endian_tiff(),
        Format.AVIF: saved("AVIF", speed=10, quality=30),
    }
    expected_loss = {
        Format.WEBP: ["EXIF thumbnail"],
        Format.AVIF: ["EXIF thumbnail", "ICC profile"],
    }
    for fmt, data in sources.items():
        source = write_xmp(data, fmt, PACKET)
        result, lost = carry_over(source, coded[fmt], fmt)
        assert read_xmp(result, fmt) == [PACKET], fmt
        assert read_texts(result, fmt) == read_texts(source, fmt) != [], fmt
        assert coded_digest(result, fmt) == coded_digest(coded[fmt], fmt), fmt
        assert pixels(result) == pixels(coded[fmt])
        assert lost == expected_loss.get(fmt, []), fmt
        assert carry_over(source, result, fmt)[0] == result, fmt
    result, _ = carry_over(sources[Format.TIFF], coded[Format.TIFF], Format.TIFF)
    with Image.open(io.BytesIO(result)) as image:
        assert image.info["dpi"] == (300, 300)
        assert image.info["icc_profile"] == ICC
        assert image.getexif().get_ifd(0x8769)[0x9286].startswith(b"ASCII")


def test_nothing_to_carry_changes_nothing():
    for name in ("jpeg", "png palette", "webp", "gif", "tiff big-endian", "avif"):
        data, fmt = chosen(name)
        assert carry_over(data, data, fmt) == (data, []), name


# Hostile bytes ------------------------------------------------------------------------------------

READERS = (
    read_xmp,
    read_texts,
    coded_digest,
    has_c2pa,
    lambda data, fmt: write_xmp(data, fmt, PACKET),
)


@ALL
def test_mutated_files_raise_nothing_but_media_errors(name):
    data, fmt = chosen(name)
    data = write_xmp(data, fmt, OTHER)
    rng = random.Random(name)
    body = bytearray(data)
    for _ in range(120):
        mutant = bytearray(body)
        for _ in range(rng.choice((1, 1, 2, 8))):
            # Headers and tables are where structure lives.
            at = rng.randrange(min(len(mutant), rng.choice((64, 600, 10**9))))
            mutant[at] = rng.choice(
                (0, 255, mutant[at] ^ 1 << rng.randrange(8), rng.randrange(256))
            )
        if rng.random() < 0.3:
            del mutant[rng.randrange(len(mutant)) :]
        for function in READERS:
            with contextlib.suppress(MediaError):
                function(bytes(mutant), fmt)
        with contextlib.suppress(MediaError):
            carry_over(bytes(mutant), data, fmt)


def test_bombs_cost_neither_memory_nor_time():
    started = time.perf_counter()
    bomb = zlib.compress(bytes(4 << 20))
    packet = with_chunks(png_chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + bomb))
    with pytest.raises(CorruptMedia, match="larger"):
        read_xmp(packet, Format.PNG)
    one = png_chunk(b"zTXt", b"a\0\0" + bomb)
    assert [len(t.text) for t in read_texts(with_chunks(one), Format.PNG)] == [0]
    with pytest.raises(CorruptMedia, match="decompress"):
        read_texts(with_chunks(*[one] * 20), Format.PNG)
    start, rest = MADE["jpeg"][:20], MADE["jpeg"][20:]
    for filler in (b'AIGC{"' + b'\\"' * 30_000, b"AIGC{" * 12_000, b"AIGC" + b" " * 60_000):
        assert read_texts(start + jpeg._segment(0xFE, filler) + rest, Format.JPEG) == []
    many = heic(version=1, widths=0x4440)
    at = many.index(b"iloc") + 4 + 4 + 2 + 2 + 2 + 2 + 2 + 4 + 2 + 4
    with pytest.raises(MediaError):
        coded_digest(many[:at] + b"\xff\xff\xff\xff" + many[at + 4 :], Format.HEIC)
    assert time.perf_counter() - started < 10


# Signing ------------------------------------------------------------------------------------------

SIGNED = ["jpeg", "apng", "webp", "gif", "tiff", "tiff pages", "avif", "avif sequence xmp"]


@pytest.fixture(scope="module")
def signer():
    import c2pa
    from credentials_kit import Authority

    chain, key = Authority().issue()
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", chain, key, None))


@pytest.mark.parametrize("name", SIGNED)
def test_signing_changes_neither_digest_nor_packet(name, signer):
    import c2pa

    data, fmt = chosen(name)
    written, signed = write_xmp(data, fmt, PACKET), io.BytesIO()
    settings = {
        "verify": {"verify_after_sign": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    actions = {"label": "c2pa.actions.v2", "data": {"actions": [{"action": "c2pa.opened"}]}}
    with c2pa.Builder({"assertions": [actions]}, c2pa.Context.from_dict(settings)) as builder:
        builder.sign(signer, fmt.mime, io.BytesIO(written), signed)
    result = signed.getvalue()
    assert has_c2pa(result, fmt)
    assert read_xmp(result, fmt) == [PACKET]
    assert coded_digest(result, fmt) == coded_digest(data, fmt)
    if name != "tiff pages":  # Pillow takes the directory of the manifest for a page
        assert pixels(result) == pixels(data)
    carried, _ = carry_over(result, data, fmt)
    assert not has_c2pa(carried, fmt)
    assert b"jumd" not in carried


# Real files ---------------------------------------------------------------------------------------


def real_pictures() -> list[Path]:
    found = []
    for path in sorted([*SHARED.glob("media/*"), *SHARED.glob("c2pa-fixtures/*.*")]):
        with path.open("rb") as file:
            try:
                sniff(file.read(4096))
            except UnsupportedFormat:
                continue
        found.append(path)
    return found


def flat(packet: bytes) -> set[str]:
    """Every property and value but ours, in document order, blanks ignored."""
    tree = xmp.parse(packet)
    found, waiting = set(), [tree.rdf]
    while waiting:
        node = waiting.pop()
        for child in node.children:
            if child.name != (NS, "AIGC"):
                waiting.append(child)
                found.add(f"{child.name} {''.join(child.texts).strip()}")
                found |= {f"{child.name} {item}" for item in child.attributes.items()}
    return {item for item in found if "Description" not in item or "xmlns" not in item}


@pytest.mark.skipif(not SHARED.exists(), reason="no real pictures on this machine")
def test_real_pictures_keep_pixels_and_properties():
    paths = real_pictures()
    assert len(paths) >= 33
    for path in paths:
        data = path.read_bytes()
        fmt = sniff(data)
        packets = read_xmp(data, fmt)
        packet = xmp.set_properties(packets[0] if packets else None, {AIGC: VALUE})
        written = write_xmp(data, fmt, packet)
        assert read_xmp(written, fmt) == [packet], path.name
        assert xmp.get(packet, NS, "AIGC") == [VALUE], path.name
        assert flat(packet) >= (flat(packets[0]) if packets else set()), path.name
        assert coded_digest(written, fmt) == coded_digest(data, fmt), path.name
        assert has_c2pa(written, fmt) == has_c2pa(data, fmt), path.name
        assert read_texts(written, fmt) == read_texts(data, fmt), path.name
        carried, _ = carry_over(data, data, fmt)
        assert coded_digest(carried, fmt) == coded_digest(data, fmt), path.name
        if len(data) < 500_000 and fmt is not Format.HEIC and "cards" not in path.name:
            assert pixels(written) == pixels(data), path.name


@pytest.mark.skipif(not SHARED.exists(), reason="no real pictures on this machine")
def test_a_real_heic_decodes_as_before():
    import pi_heif

    data = (SHARED / "media" / "img24_photo.heic").read_bytes()
    written = write_xmp(data, Format.HEIC, PACKET)
    # The pixels live only as long as the object they are in.
    before, after = (pi_heif.open_heif(io.BytesIO(one)) for one in (data, written))
    assert bytes(before[0].data) == bytes(after[0].data)
    assert pi_heif.open_heif(io.BytesIO(written)).info["xmp"] == PACKET


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_exiftool_reads_every_label(tmp_path):
    for name in MADE:
        if name not in SKELETONS:
            data, fmt = chosen(name)
            path = tmp_path / (name.replace(" ", "-") + fmt.suffix)
            path.write_bytes(write_xmp(data, fmt, PACKET))
    command = ["exiftool", "-j", "-G1", "-a", "-XMP-TC260:all", "-warning", "-error", str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, check=False)
    reports = json.loads(answer.stdout)
    assert len(reports) == len(MADE) - len(SKELETONS)
    for report in reports:
        assert report["XMP-TC260:Aigc"] == VALUE, report
        assert not [key for key in report if "Warning" in key or "Error" in key], report
