"""Films that harm, made by code: cut off, lying about sizes and times, endless, naming other files.

`HOSTILE` holds a maker for each, by a file name that says what is wrong; `put` writes one, beside
the `NEIGHBOURS` which no reader may open.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from aiglabel.containers import amf, ebml
from aiglabel.containers.isobmff import box, boxes
from aiglabel.media.ffmpeg import ffmpeg_exe

Maker = Callable[[Path], bytes]
NEIGHBOURS = ("neighbour.mp4", "neighbour.ts")
WIDTH, HEIGHT = 64, 48
CODECS = {
    "webm": ("libvpx -deadline realtime -cpu-used 8", "libopus"),
    "avi": ("mpeg4", "libmp3lame"), "flv": ("flv", "aac"),
}  # fmt: skip


def put(folder: Path, name: str) -> Path:
    """Write one of `HOSTILE`, and good films under the names that it may point at."""
    for neighbour in NEIGHBOURS:
        (folder / neighbour).write_bytes(film("mp4" if neighbour.endswith("mp4") else "ts"))
    path = folder / name
    path.write_bytes(HOSTILE[name](folder))
    return path


# ---- good films ------------------------------------------------------------------------------


def made(suffix: str, *arguments: str) -> bytes:
    """What ffmpeg writes."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"made.{suffix}"
        command = [ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", *arguments]
        subprocess.run([*command, str(target)], check=True, timeout=120)
        return target.read_bytes()


def picture(size: str = f"{WIDTH}x{HEIGHT}") -> list[str]:
    """Arguments for a moving pattern."""
    return ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25"]


TONE = ["-f", "lavfi", "-i", "sine=440"]


@cache
def film(suffix: str, *options: str) -> bytes:
    """A second of pictures and sound."""
    codec, sound = CODECS.get(suffix, ("libx264 -preset ultrafast -g 5", "aac"))
    coded = ["-c:v", *codec.split(), "-pix_fmt", "yuv420p", "-c:a", sound]
    return made(suffix, *picture(), *TONE, "-t", "1", *coded, *options)


@cache
def jpeg() -> bytes:
    """One frame for the containers that are written by hand."""
    ramp = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint32).reshape(HEIGHT, WIDTH, 3)
    return cv2.imencode(".jpg", (ramp // 40 % 256).astype(np.uint8))[1].tobytes()


# ---- MP4 -------------------------------------------------------------------------------------


def within(data: bytes, path: str, change: Callable[[bytes], bytes]) -> bytes:
    """Change the content of the first box at `path`, as in ``moov/trak/tkhd``.

    The moov of `film` comes last, so that it may grow.
    """
    kind, _, rest = path.partition("/")
    found = next(one for one in boxes(data) if one.kind == kind.encode())
    body = data[found.body : found.end]
    fresh = within(body, rest, change) if rest else change(body)
    return data[: found.start] + box(found.kind, fresh) + data[found.end :]


def mp4(path: str, at: int, new: bytes, suffix: str = "mp4", *options: str) -> Maker:
    """A good film but for the bytes of one box; `at` counts from its content."""

    def change(body: bytes) -> bytes:
        place = at % len(body)
        return body[:place] + new + body[place + len(new) :]

    return lambda folder: within(film(suffix, *options), path, change)


def lasting(seconds: int, *, frames: int | None = None) -> Maker:
    """An MP4 whose headers give another length, and which has only the first `frames`."""

    def maker(folder: Path) -> bytes:
        data = film("mp4", "-an")
        for path, at in (("moov/mvhd", 16), ("moov/trak/tkhd", 20), ("moov/trak/mdia/mdhd", 16)):
            scale = struct.unpack_from(">I", data, data.index(path[-4:].encode()) + 16)[0]
            ticks = struct.pack(">I", seconds * (scale if path != "moov/trak/tkhd" else 1000))
            data = within(data, path, lambda b, at=at, new=ticks: b[:at] + new + b[at + 4 :])
        data = within(data, "moov/trak/edts", lambda b: b"")
        return data if frames is None else few(data, frames)

    return maker


def few(data: bytes, frames: int) -> bytes:
    """The first frames of a film of one track."""
    tables = "moov/trak/mdia/minf/stbl/"
    data = within(data, tables + "stts", lambda b: b[:8] + struct.pack(">I", frames) + b[12:])
    return within(data, tables + "stsz", lambda b: b[:8] + struct.pack(">I", frames) + b[12:])


def referring(kind: bytes, name: str) -> Maker:
    """An MP4 whose pictures are said to lie in another file (``url `` and ``alis``)."""

    def maker(folder: Path) -> bytes:
        named = name.replace("@", str(folder)).encode()
        if kind == b"alis":
            body = bytes(4) + bytes(150) + struct.pack(">HH", 2, len(named)) + named + bytes(8)
        else:
            body = bytes(4) + named + b"\0"
        entry = bytes(4) + struct.pack(">I", 1) + box(kind, body)
        return within(film("mp4"), "moov/trak/mdia/minf/dinf/dref", lambda b: entry)

    return maker


def thousand_of_mp4(folder: Path) -> bytes:
    """A thousand film tracks of the same frames."""
    data = film("mp4", "-an")
    movie = next(one for one in boxes(data) if one.kind == b"moov")
    track = next(one for one in boxes(data, movie.body, movie.end) if one.kind == b"trak")
    body = data[track.body : track.end]
    more = b"".join(
        box(b"trak", within(body, "tkhd", lambda b, n=n: b[:12] + struct.pack(">I", n) + b[16:]))
        for n in range(2, 1001)
    )
    return within(data, "moov", lambda b: b + more)


def nested_boxes(folder: Path) -> bytes:
    """Tracks within tracks."""
    inner = b""
    for _ in range(20_000):
        inner = box(b"trak", inner)
    return within(film("mp4"), "moov", lambda b: b + inner)


def zeros(count: int, times: int) -> bytes:
    """Deflated zeros, so many and so many times over; the sum at the end is wrong."""
    bomb = zlib.compressobj(9)
    first = bomb.compress(bytes(count)) + bomb.flush(zlib.Z_FULL_FLUSH)
    again = bomb.compress(bytes(count)) + bomb.flush(zlib.Z_FULL_FLUSH)
    return first + (times - 1) * again + bomb.flush()


def packed_movie(folder: Path) -> bytes:
    """QuickTime's compressed moov, of two gigabytes of nothing."""
    cmvd = box(b"cmvd", struct.pack(">I", 0x7F000000) + zeros(1 << 24, 127))
    movie = box(b"moov", box(b"cmov", box(b"dcom", b"zlib") + cmvd))
    return box(b"ftyp", b"qt  " + bytes(4)) + box(b"mdat", b"") + movie


@cache
def great_cover(side: int) -> bytes:
    """A PNG of one colour, small as a file."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        end = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + end

    rows = zeros((1 + 4 * side) * side // 16, 16)
    head = struct.pack(">2I5B", side, side, 8, 6, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def covered(folder: Path) -> bytes:
    """An MP4 with that cover."""
    data = box(b"data", struct.pack(">II", 14, 0) + great_cover(16_000))
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    meta = box(b"meta", bytes(4) + handler + box(b"ilst", box(b"covr", data)))
    return within(film("mp4", "-an"), "moov", lambda b: b + box(b"udta", meta))


# ---- Matroska --------------------------------------------------------------------------------


def number(kind: int, value: int) -> bytes:
    """An element of an unsigned integer."""
    return ebml.element(kind, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


EBML_HEAD = ebml.element(ebml.HEADER, ebml.element(ebml.DOC_TYPE, b"matroska"))
UNKNOWN = b"\x01" + b"\xff" * 7
SEGMENT, CLUSTER = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"


def entry(number_of: int = 1, width: int = WIDTH, height: int = HEIGHT, more: bytes = b"") -> bytes:
    """A film track of JPEGs."""
    shape = ebml.element(0xE0, number(0xB0, width) + number(0xBA, height))
    body = number(0xD7, number_of) + number(0x73C5, number_of) + number(0x83, 1)
    return ebml.element(0xAE, body + ebml.element(0x86, b"V_MJPEG") + more + shape)


def block(ticks: int = 0, flags: int = 0x80, data: bytes | None = None) -> bytes:
    """A SimpleBlock of track 1."""
    head = b"\x81" + struct.pack(">h", ticks) + bytes([flags])
    return ebml.element(0xA3, head + (jpeg() if data is None else data))


def cluster(*parts: bytes, ticks: int = 0) -> bytes:
    """A cluster at a time."""
    return ebml.element(0x1F43B675, number(0xE7, ticks) + b"".join(parts))


def mkv(
    *parts: bytes, scale: int = 1_000_000, seconds: float | None = None, tracks: bytes | None = None
) -> bytes:
    """A film of three frames, or of other `parts` behind the tracks."""
    info = number(0x2AD7B1, scale)
    if seconds is not None:
        info += ebml.element(0x4489, struct.pack(">d", seconds * 1e9 / max(scale, 1)))
    body = ebml.element(0x1549A966, info)
    body += ebml.element(0x1654AE6B, entry() if tracks is None else tracks)
    body += b"".join(parts) if parts else cluster(*(block(40 * n) for n in range(3)))
    return EBML_HEAD + ebml.element(0x18538067, body)


def nested(kind: int, depth: int) -> bytes:
    """An element within itself; sizes are of eight bytes, so that it takes linear time."""
    name = kind.to_bytes((kind.bit_length() + 7) // 8, "big")
    each = len(name) + 8
    return b"".join(
        name + (left * each | 1 << 56).to_bytes(8, "big") for left in reversed(range(depth))
    )


def open_sizes(folder: Path) -> bytes:
    """Segment and clusters of unknown size, each in the one before."""
    head = ebml.element(0x1549A966, number(0x2AD7B1, 1_000_000)) + ebml.element(0x1654AE6B, entry())
    clusters = b"".join(CLUSTER + UNKNOWN + number(0xE7, 40 * n) + block() for n in range(3))
    return EBML_HEAD + SEGMENT + UNKNOWN + head + clusters


def attached() -> bytes:
    """A film with that cover."""
    file = ebml.element(0x466E, b"cover.png") + ebml.element(0x4660, b"image/png")
    file += number(0x46AE, 9) + ebml.element(0x465C, great_cover(16_000))
    return mkv(ebml.element(0x1941A469, ebml.element(0x61A7, file)), cluster(block()))


# ---- AVI and FLV -----------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of RIFF."""
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def avi(
    *, width: int = WIDTH, height: int = HEIGHT, codec: bytes = b"MJPG", scale: int = 1,
    rate: int = 25, frames: int = 3, length: int = 3, streams: int = 1, index: bytes | None = None,
    more: bytes = b"",
) -> bytes:  # fmt: skip
    """A film of JPEGs."""
    avih = struct.pack("<14I", 40_000, 0, 0, 0x10, length, 0, streams, 0, width, height, 0, 0, 0, 0)
    strh = b"vids" + codec + struct.pack("<10I4H", 0, 0, 0, scale, rate, 0, length, 0, 0, 0, 0, 0,
                                         0, 0)  # fmt: skip
    form = struct.pack("<3I2H6I", 40, width, height, 1, 24, int.from_bytes(codec, "little"), 0, 0,
                       0, 0, 0)  # fmt: skip
    stream = chunk(b"LIST", b"strl" + chunk(b"strh", strh) + chunk(b"strf", form) + more)
    hdrl = chunk(b"LIST", b"hdrl" + chunk(b"avih", avih) + streams * stream)
    movi = chunk(b"LIST", b"movi" + frames * chunk(b"00dc", jpeg()))
    each = len(chunk(b"00dc", jpeg()))
    rows = (struct.pack("<4s3I", b"00dc", 16, 4 + n * each, len(jpeg())) for n in range(frames))
    idx1 = chunk(b"idx1", b"".join(rows) if index is None else index)
    return chunk(b"RIFF", b"AVI " + hdrl + movi + idx1)


def super_index(rows: int) -> bytes:
    """An OpenDML index that says it has more rows than it has, all of them leading to itself."""
    row = struct.pack("<QII", 0, 32, 1)
    return chunk(b"indx", struct.pack("<HBBI4s12x", 4, 0, 0, rows, b"00dc") + 100 * row)


def tag(kind: int, body: bytes, ticks: int = 0, size: int | None = None) -> bytes:
    """A tag of FLV; `size` is what it says of itself."""
    stated = (len(body) if size is None else size).to_bytes(3, "big")
    head = bytes([kind]) + stated + (ticks & 0xFFFFFF).to_bytes(3, "big") + bytes([ticks >> 24, 0])
    return head + bytes(2) + body + struct.pack(">I", 11 + len(body))


@cache
def flv_tags() -> tuple[bytes, ...]:
    """Bodies of the film's tags in a good FLV."""
    data, at, bodies = film("flv", "-an"), 13, []
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        if data[at] == 9:
            bodies.append(data[at + 11 : at + 11 + size])
        at += 15 + size
    return tuple(bodies)


def flv(*before: bytes, ticks: int = 40, start: int = 9, last: int = 0) -> bytes:
    """A film of three frames behind other tags."""
    frames = b"".join(tag(9, body, n * ticks) for n, body in enumerate(flv_tags()[:3]))
    return b"FLV\1\1" + struct.pack(">II", start, last) + b"".join(before) + frames


def nested_script(depth: int) -> bytes:
    """An object of metadata within itself."""
    return tag(18, amf.string(b"onMetaData") + b"\3\0\1x" * depth + b"\0\0\x09" * depth)


def lying_script(**values: float) -> bytes:
    """Metadata of numbers."""
    fields = (amf.named(k.encode(), b"\0" + struct.pack(">d", v)) for k, v in values.items())
    return tag(18, amf.string(b"onMetaData") + b"\3" + b"".join(fields) + b"\0\0\x09")


# ---- the set ---------------------------------------------------------------------------------

_PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
_CONCAT = "ffconcat version 1.0\nfile '{}'\n"
_SDP = "v=0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:file:{}\n"


def text(words: str, name: str, before: bytes = b"") -> Maker:
    """A text that names another file; `@` stands for the folder."""
    return lambda folder: before + words.format(name.replace("@", str(folder))).encode()


def cut(part: float, suffix: str, *options: str) -> Maker:
    """The first part of a good film."""
    return lambda folder: (data := film(suffix, *options))[: int(len(data) * part)]


def spoilt(suffix: str, *options: str) -> Maker:
    """Garbage in the middle tenth."""

    def maker(folder: Path) -> bytes:
        data, noise = film(suffix, *options), np.random.default_rng(7)
        start, end = (len(data) * part // 100 for part in (45, 55))
        return data[:start] + noise.bytes(end - start) + data[end:]

    return maker


def sized(suffix: str, size: str, codec: str) -> Maker:
    """Two frames of an odd size."""
    return lambda folder: made(suffix, *picture(size), "-frames:v", "2", "-c:v", *codec.split())


def plain(data: Callable[[], bytes]) -> Maker:
    """What needs to know of no folder."""
    return lambda folder: data()


FAST_START = ("-movflags", "+faststart")
FRAGMENTS = ("-movflags", "+frag_keyframe+empty_moov")
_STBL = "moov/trak/mdia/minf/stbl/"
_MOST = b"\xff\xff\xff\xff"
_JUNK = ebml.element(0x1F43B675, number(0xE7, 0) + bytes.fromhex("a3 84 81 00 00 06"))

HOSTILE: dict[str, Maker] = {
    **{
        f"cut at {part:.3f} {what}.{suffix}": cut(part, suffix, *options)
        for suffix, what, options in (
            ("mp4", "index first", FAST_START), ("mp4", "index last", ()),
            ("mp4", "fragments", FRAGMENTS), ("mov", "index first", FAST_START),
            ("mkv", "", ()), ("webm", "", ()), ("avi", "", ()), ("flv", "", ()),
        )
        for part in (0.02, 0.3, 0.7, 0.995)
    },
    # no film in it
    "sound only.mp4": plain(lambda: film("mp4", "-vn")),
    "sound only.mkv": plain(lambda: film("mkv", "-vn")),
    "sound only.flv": plain(lambda: film("flv", "-vn")),
    "sound only.avi": plain(lambda: film("avi", "-vn")),
    "cover only.mp4": plain(lambda: made(
        "mp4", *picture(), *TONE, "-map", "0", "-map", "1", "-t", "1", "-c:v", "mjpeg", "-frames:v",
        "1", "-disposition:v", "attached_pic")),
    "no frames.mp4": plain(lambda: few(film("mp4", "-an"), 0)),
    "no tables.mp4": plain(lambda: within(film("mp4"), "moov/trak/mdia/minf/stbl", lambda b: b"")),
    "no frames.mkv": plain(lambda: mkv(cluster())),
    "no clusters.mkv": plain(lambda: mkv(ebml.void(20))),
    "no tracks.mkv": plain(lambda: mkv(tracks=b"")),
    "no frames.avi": plain(lambda: avi(frames=0, length=0)),
    "no frames.flv": plain(lambda: flv()[:13]),
    # names of other files
    **{
        f"{what} {number_of}.{suffix}": text(words, name, before)
        for suffix in ("mp4", "mkv", "avi")
        for what, words in (("playlist", _PLAYLIST), ("concat", _CONCAT), ("session", _SDP))
        for number_of, (name, before) in enumerate((
            ("neighbour.ts", b""), ("@/neighbour.mp4", b""),
            ("file:@/neighbour.mp4", b"\0\0\0\x10ftypisom\0\0\0\0"),
        ))
    },
    "playlist within.mkv": lambda f: EBML_HEAD + text(_PLAYLIST, "@/neighbour.ts")(f),
    "playlist within.flv": lambda f: b"FLV\1\5\0\0\0\t\0\0\0\0" + text(_CONCAT, "neighbour.mp4")(f),
    "url relative.mp4": referring(b"url ", "neighbour.mp4"),
    "url.mp4": referring(b"url ", "file://@/neighbour.mp4"),
    "urn.mp4": referring(b"urn ", "@/neighbour.mp4"),
    "alias relative.mov": referring(b"alis", "neighbour.mp4"),
    "alias.mov": referring(b"alis", "@/neighbour.mp4"),
    # sizes
    "1x2 pixels.mkv": sized("mkv", "16x16", "libx264 -vf format=yuv444p,crop=1:2"),
    "1x2 pixels.webm": sized("webm", "16x16", "libvpx-vp9 -vf scale=1:2"),
    "1x2 pixels.mov": sized("mov", "16x16", "mjpeg -vf scale=1:2 -pix_fmt yuvj420p"),
    "20000x16 pixels.mkv": sized("mkv", "20000x16", "ffv1"),
    "20000x16 pixels.avi": sized("avi", "20000x16", "mjpeg"),
    "16x20000 pixels.mov": sized("mov", "16x20000", "mjpeg"),
    "no pixels said.mp4": mp4(_STBL + "stsd", 40, bytes(4)),
    "65535x65535 said.mp4": mp4(_STBL + "stsd", 40, _MOST),
    "65535x65535 shown.mp4": mp4("moov/trak/tkhd", -8, _MOST * 2),
    "65535x65535 said.mkv": plain(lambda: mkv(tracks=entry(width=65535, height=65535))),
    "2^32 pixels said.mkv": plain(lambda: mkv(tracks=entry(width=1 << 32, height=1))),
    "65535x65535 said.avi": plain(lambda: avi(width=65535, height=65535)),
    "65535x65535 raw.avi": plain(lambda: avi(width=65535, height=65535, codec=bytes(4))),
    "13000x13000 raw.avi": plain(lambda: avi(width=13000, height=13000, codec=bytes(4))),
    "4000x4000 raw.avi": plain(lambda: avi(width=4000, height=4000, codec=bytes(4))),
    "-1 pixels said.avi": plain(lambda: avi(width=0xFFFFFFFF, height=0x80000000)),
    "65535x65535 said.flv": plain(lambda: flv(lying_script(width=65535, height=65535))),
    "great cover.mp4": covered,
    "great cover.mkv": plain(attached),
    "2 GB of header.mov": packed_movie,
    # times
    "no length.mp4": lasting(0),
    "10 hours of one frame.mp4": lasting(36_000, frames=1),
    "10 hours a frame.mp4": mp4(_STBL + "stts", 12, struct.pack(">I", 12800 * 36_000)),
    "136 years a frame.mp4": mp4(_STBL + "stts", 12, _MOST),
    "times run back.mp4": mp4(_STBL + "stts", 8, struct.pack(">Ii", 25, -12)),
    "no time between.mp4": mp4(_STBL + "stts", 12, bytes(4)),
    "no ticks.mp4": mp4("moov/trak/mdia/mdhd", 12, bytes(4)),
    "one tick a second.mp4": mp4("moov/trak/mdia/mdhd", 12, struct.pack(">I", 1)),
    "2^32 ticks a second.mp4": mp4("moov/trak/mdia/mdhd", 12, _MOST),
    "far edit.mp4": mp4("moov/trak/edts/elst", 12, b"\x7f\xff\xff\xff"),
    "10 hours of one frame.mkv": plain(lambda: mkv(cluster(block()), seconds=36_000)),
    "eternity said.mkv": plain(lambda: mkv(seconds=float("inf"))),
    "1 ns a tick.mkv": plain(lambda: mkv(scale=1)),
    "no ticks.mkv": plain(lambda: mkv(scale=0)),
    "2 years a tick.mkv": plain(lambda: mkv(scale=1 << 56)),
    "2^63 cluster.mkv": plain(lambda: mkv(cluster(block(), ticks=1 << 63), cluster(block()))),
    "far cluster.mkv": plain(lambda: mkv(cluster(block()), cluster(block(), ticks=1 << 40))),
    "1 ns a frame.mkv": plain(lambda: mkv(tracks=entry(more=number(0x23E383, 1)))),
    "times run back.mkv": plain(lambda: mkv(cluster(block(90), block(40), block(40), block(0)))),
    "no rate.avi": plain(lambda: avi(scale=0, rate=0)),
    "2^32 a second.avi": plain(lambda: avi(rate=0xFFFFFFFF)),
    "136 years a frame.avi": plain(lambda: avi(scale=0xFFFFFFFF, rate=1)),
    "2^32 frames said.avi": plain(lambda: avi(length=0xFFFFFFFF)),
    "10 hours a frame.flv": plain(lambda: flv(ticks=0x7FFFFFFF // 3)),
    "eternity said.flv": plain(lambda: flv(lying_script(duration=1e300, framerate=1e300))),
    # structure
    "1000 tracks.mp4": thousand_of_mp4,
    "1000 tracks.mkv": plain(lambda: mkv(tracks=b"".join(entry(n) for n in range(1, 1001)))),
    "1000 tracks.avi": plain(lambda: avi(streams=1000)),
    "120 tracks.mkv": plain(lambda: mkv(tracks=b"".join(entry(n) for n in range(1, 121)))),
    "tracks in tracks.mp4": nested_boxes,
    "frames without end.mp4": mp4(_STBL + "stsz", 4, struct.pack(">II", 1, 0x7FFFFFFF)),
    "frame of 2 GB.mp4": mp4(_STBL + "stsz", 4, struct.pack(">I", 0x7FFFFFFF)),
    "chunks without end.mp4": mp4(_STBL + "stco", 4, _MOST),
    "frames elsewhere.mp4": mp4(_STBL + "stco", 8, b"\xff\xff\xff\x00"),
    "open sizes.mkv": open_sizes,
    "tags like tracks.mkv": plain(lambda: film(
        "mkv", "-metadata", "title=x\n  Duration: 00:00:09.00, start: 0\n  Stream #0:0: Video: "
        "none, 9x9\n", "-metadata:s:v", "title=x\n  Stream #0:7: Audio: pcm\n")),
    "tags in tags.mkv": plain(lambda: mkv(nested(0x67C8, 50_000))),
    "chapters in chapters.mkv": plain(
        lambda: mkv(ebml.element(0x1043A770, ebml.element(0x45B9, nested(0xB6, 50_000))))),
    "segments in segments.mkv": plain(lambda: EBML_HEAD + nested(0x18538067, 50_000)),
    "clusters in clusters.mkv": plain(lambda: mkv(nested(0x1F43B675, 50_000))),
    "index to itself.mkv": plain(lambda: mkv(ebml.element(0x114D9B74, ebml.element(
        0x4DBB, ebml.element(0x53AB, b"\x11\x4d\x9b\x74") + number(0x53AC, 0))), cluster(block()))),
    **{
        f"{what}.mkv": plain(lambda flags=flags, data=data: mkv(cluster(block(0, flags, data))))
        for what, flags, data in (
            ("256 xiph lacings", 0x82, b"\xff" + b"\xff" * 5000),
            ("256 ebml lacings", 0x86, b"\xff" + b"\x01" + b"\xff" * 2000),
            ("256 even lacings", 0x84, b"\xff" + b"\x00" * 511),
            ("256 empty lacings", 0x82, b"\xff" + bytes(300)),
        )
    },
    "40000 lacings.mkv": plain(lambda: mkv(*[_JUNK + cluster(
        block(0, 0x84, b"\xff" + bytes(256)))] * 150)),
    "giant index.avi": plain(lambda: avi(index=16 * 2_000_000 * b"\xff")),
    "giant index of one frame.avi": plain(
        lambda: avi(index=struct.pack("<4s3I", b"00dc", 16, 4, len(jpeg())) * 2_000_000)),
    "index to itself.avi": plain(lambda: avi(more=super_index(100))),
    "index without end.avi": plain(lambda: avi(more=super_index(0xFFFFFFFF))),
    "lists in lists.avi": plain(lambda: chunk(b"RIFF", b"AVI " + b"".join(
        b"LIST" + struct.pack("<I", 12 * n) + b"hdrl" for n in range(50_000, 0, -1)))),
    "begins at itself.flv": plain(lambda: flv(start=0)),
    "begins far away.flv": plain(lambda: flv(start=0xFFFFFFF0)),
    "sizes go back.flv": plain(lambda: flv(last=0xFFFFFFFF).replace(
        struct.pack(">I", 11 + len(flv_tags()[0])), struct.pack(">I", 0xFFFFFFFF))),
    "empty tags.flv": plain(lambda: flv(tag(9, b"") * 100_000)),
    "tag of itself.flv": plain(lambda: flv(tag(18, b"", size=0xFFFFFF))),
    "objects in objects.flv": plain(lambda: flv(nested_script(20_000))),
    "array without end.flv": plain(lambda: flv(tag(
        18, amf.string(b"onMetaData") + b"\x08" + _MOST + amf.named(b"k", b"\x0a" + _MOST)))),
    **{
        f"garbage {what}.{suffix}": spoilt(suffix, *options)
        for suffix, what, options in (
            ("mp4", "index first", FAST_START), ("mp4", "fragments", FRAGMENTS),
            ("mov", "", ()), ("mkv", "", ()), ("webm", "", ()), ("avi", "", ()), ("flv", "", ()),
        )
    },
}  # fmt: skip
"""Makers by file name."""
