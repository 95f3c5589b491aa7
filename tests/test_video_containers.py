"""Video containers: one label at its place; pictures, sound, subtitles and indexes untouched."""

from __future__ import annotations

import io
import random
import struct
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from film_files import BUILDERS, TITLE, ffmpeg, fmt_of, frames, made, sound_only, told
from labelled import labels

from aiglabel.containers import amf, ebml, matroska, mp4_label, pieces, sniff, xmp
from aiglabel.containers.bounds import splice
from aiglabel.containers.isobmff import box, boxes
from aiglabel.containers.sniff import (
    HEAD_BYTES,
    VIDEO_SUFFIXES,
    Format,
    SoundFormat,
    VideoFormat,
    sniff_media,
    sniff_sound,
    sniff_video,
)
from aiglabel.containers.timed import (
    canonical_carrier,
    coded_digest,
    copy_labelled,
    read_tags,
    write_label,
    write_label_file,
)
from aiglabel.errors import (
    CorruptMedia,
    LabelError,
    MediaError,
    ResourceLimit,
    UnsupportedFormat,
)  # fmt: skip

SHARED = Path(__file__).resolve().parents[2] / "shared"
NS = "http://www.tc260.org.cn/ns/AIGC/1.0/"
VALUE = (
    '{"Label":"1","ContentProducer":"001191110102MACQD9K64010000","ProduceID":"p-1",'
    '"ReservedCode1":"","ContentPropagator":"","PropagateID":"","ReservedCode2":""}'
)
OLD = '{"Label":"2","ContentProducer":"","ProduceID":"old"}'
PACKET = xmp.set_properties(None, {(NS, "TC260", "AIGC"): OLD})
HOSTILE = [
    "mp4 keys", "mp4 fragments", "mp4 dash", "mov fast start", "mkv cues in front", "mkv live",
    "avi without padding", "flv keyframes",
]  # fmt: skip


def sought(data: bytes, suffix: str) -> str:
    """The frame that seeking with the indexes leads to."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(data)
        seek = ("-ss", "0.6", "-i", str(path), "-map", "0:v", "-frames:v", "1")
        return ffmpeg(*seek, "-f", "framemd5", "-").decode()


def only_label(data: bytes, fmt: VideoFormat, value: str = VALUE) -> None:
    found = labels(read_tags(data, fmt))
    assert [(one.carrier, one.text) for one in found] == [(canonical_carrier(fmt), value)]


def attempt(step):
    try:
        return step()
    except MediaError as error:
        return error


# ---- every format ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILDERS)
def test_label_is_written_once_and_nothing_else_changes(name, tmp_path):
    data, fmt = made(name), fmt_of(name)
    assert sniff_video(data) is sniff_media(data) is fmt
    before = read_tags(data, fmt)
    assert not labels(before)
    assert not before.c2pa
    marked = write_label(data, fmt, VALUE)
    only_label(marked, fmt)
    after = [one for one in read_tags(marked, fmt).texts if one.key != "AIGC"]
    assert after == before.texts
    assert any(one.text == TITLE for one in after)
    assert coded_digest(marked, fmt) == coded_digest(data, fmt)
    # A label of the same length, a longer one, and back.
    assert write_label(marked, fmt, VALUE) == marked
    longer = write_label(marked, fmt, VALUE + " " * 900)
    only_label(longer, fmt, VALUE + " " * 900)
    assert coded_digest(longer, fmt) == coded_digest(data, fmt)
    only_label(write_label(longer, fmt, OLD), fmt, OLD)
    # What other programs see.
    suffix = fmt.suffix
    assert frames(longer, suffix) == frames(data, suffix)
    if name not in ("mkv live", "flv"):  # these have no index
        assert sought(longer, suffix) == sought(data, suffix)
    metadata = told(marked, suffix, "-f", "ffmetadata")
    assert f"AIGC={VALUE}" in metadata
    assert TITLE in metadata
    if fmt in (VideoFormat.MKV, VideoFormat.MP4, VideoFormat.MOV) and "live" not in name:
        assert "title=one" in metadata
    # Files on disk give the same, and as open files.
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    write_label_file(source, target, fmt, VALUE)
    assert target.read_bytes() == marked
    with target.open("rb") as file:
        assert sniff_video(file) is fmt
        assert read_tags(file, fmt) == read_tags(marked, fmt)
        assert coded_digest(file, fmt) == coded_digest(data, fmt)


@pytest.mark.parametrize("name", ["mp4", "mp4 fast start", "mp4 keys"])
def test_mutagen_reads_the_film_and_its_tags(name):
    mp4 = pytest.importorskip("mutagen.mp4")
    before = mp4.MP4(io.BytesIO(made(name)))
    marked = mp4.MP4(io.BytesIO(write_label(made(name), VideoFormat.MP4, VALUE)))
    assert marked.info.length == before.info.length
    tags = dict(marked.tags or {})
    if name == "mp4 keys":
        assert [VALUE] in tags.values()
    else:
        assert tags == dict(before.tags or {})


@pytest.mark.parametrize("name", ["mp4", "mkv", "avi", "flv"])
def test_labels_no_tag_can_carry_are_refused(name):
    data, fmt = made(name), fmt_of(name)
    for value, error in (("a\0b", LabelError), ("\ud800", LabelError), ("x" * (1 << 21), None)):
        with pytest.raises(error or ResourceLimit):
            write_label(data, fmt, value)
    chinese = '{"Label":"1","ContentProducer":"某公司"}'
    only_label(write_label(data, fmt, chinese), fmt, chinese)
    long = "x" * 70_000
    if fmt is VideoFormat.FLV:
        with pytest.raises(ResourceLimit, match="65535"):
            write_label(data, fmt, long)
    else:
        only_label(write_label(data, fmt, long), fmt, long)


@pytest.mark.skipif(not (SHARED / "media").exists(), reason="no shared media")
def test_shared_films():
    paths = sorted((SHARED / "media").glob("vid*"))
    assert paths
    for path in paths:
        data = path.read_bytes()
        fmt = sniff_video(data)
        assert fmt is VIDEO_SUFFIXES[path.suffix]
        marked = write_label(data, fmt, VALUE)
        only_label(marked, fmt)
        assert coded_digest(marked, fmt) == coded_digest(data, fmt)
        assert write_label(marked, fmt, VALUE) == marked


def test_a_film_is_not_copied_onto_itself(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(made("mp4"))
    with pytest.raises(MediaError, match="onto itself"):
        write_label_file(path, path, VideoFormat.MP4, VALUE)
    assert path.read_bytes() == made("mp4")
    path.write_bytes(made("mp4")[:-50])
    with pytest.raises(MediaError):
        write_label_file(path, tmp_path / "other.mp4", VideoFormat.MP4, VALUE)
    assert not (tmp_path / "other.mp4").exists()


def test_large_films_take_little_memory_and_reading():
    """Two hundred megabytes of media data, none of them in memory and few of them read."""

    class Film(io.RawIOBase):
        """A fast start film whose media data are endless zeros."""

        def __init__(self, head: bytes, size: int) -> None:
            self.head, self.size, self.at, self.taken = head, size, 0, 0

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            self.at = offset + (self.size if whence == 2 else 0)
            return self.at

        def read(self, count: int = -1) -> bytes:
            count = min(count if count >= 0 else self.size, self.size - self.at)
            data = self.head[self.at : self.at + count]
            self.at += count
            self.taken += count
            return data + bytes(count - len(data))

    class Nowhere(io.RawIOBase):
        written = 0

        def write(self, data: bytes) -> int:
            self.written += len(data)
            return len(data)

    data = made("mp4 fast start")
    mdat = next(top for top in boxes(data) if top.kind == b"mdat")
    head = data[: mdat.start] + struct.pack(">I4sQ", 1, b"mdat", 200 << 20)
    film, out = Film(head, mdat.start + (200 << 20)), Nowhere()
    assert sniff_video(film) is VideoFormat.MP4
    read_tags(film, VideoFormat.MP4)
    assert film.taken < 1 << 20
    tracemalloc.start()
    copy_labelled(film, out, VideoFormat.MP4, VALUE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert out.written > film.size
    assert peak < 8 << 20


# ---- sniffing --------------------------------------------------------------------------------


def test_films_are_told_and_other_callers_go_on_refusing_them():
    for name in BUILDERS:
        data = made(name)
        for other in (sniff, sniff_sound):
            with pytest.raises(UnsupportedFormat):
                other(data)
    for name in ("mkv", "webm", "avi", "flv"):
        assert sniff_video(made(name)[:HEAD_BYTES]) is fmt_of(name)
    assert {fmt.mime for fmt in VideoFormat} == {
        "video/mp4", "video/quicktime", "video/x-matroska", "video/webm", "video/x-msvideo",
        "video/x-flv",
    }  # fmt: skip
    assert VIDEO_SUFFIXES[".m4v"] is VideoFormat.MP4
    assert VideoFormat.WEBM.suffix == ".webm"


def test_sound_alone_is_no_film():
    m4a, mka = sound_only(".m4a"), sound_only(".mka")
    assert sniff_media(m4a) is SoundFormat.M4A
    with pytest.raises(UnsupportedFormat, match="not a video format"):
        sniff_video(m4a)
    with pytest.raises(UnsupportedFormat, match="without video"):
        sniff_video(mka)
    assert sniff_media(b"\xff\xd8\xff\xe0") is Format.JPEG
    for head, said in ((b"", "empty"), (b"%PDF-1.7", "PDF"), (b"\x30\x26\xb2\x75", "WMA")):
        with pytest.raises(UnsupportedFormat, match=said) as caught:
            sniff_video(head)
        assert "WebM" in str(caught.value.remedy)


def test_old_quicktime_has_no_brand():
    data = made("mov")
    ftyp = next(boxes(data))
    assert ftyp.kind == b"ftyp"
    plain = box(b"free", bytes(ftyp.end - 8)) + data[ftyp.end :]
    assert sniff_video(plain) is VideoFormat.MOV
    only_label(write_label(plain, VideoFormat.MOV, VALUE), VideoFormat.MOV)


# ---- MP4 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mp4 fragments", "mp4 based fragments", "mp4 dash"])
def test_mp4_offsets_of_fragments_move_along(name):
    marked = write_label(made(name), VideoFormat.MP4, VALUE)
    tops = list(boxes(marked))
    fragments = [top.start for top in tops if top.kind == b"moof"]
    assert len(fragments) > 2
    for top in tops:
        if top.kind == b"mfra":
            for tfra in (one for one in boxes(marked, top.body, top.end) if one.kind == b"tfra"):
                assert marked[tfra.body] == 1  # 64-bit times and places, lengths of one byte
                (count,) = struct.unpack_from(">I", marked, tfra.body + 12)
                rows = [tfra.body + 16 + 19 * n + 8 for n in range(count)]
                assert {struct.unpack_from(">Q", marked, at)[0] for at in rows} <= set(fragments)
                assert count
    assert fragments != [top.start for top in boxes(made(name)) if top.kind == b"moof"]


def test_mp4_base_offsets_move_along():
    def tfhd(base: int) -> bytes:
        return box(b"tfhd", struct.pack(">IIQ", 1, 1, base))

    def film(base: int) -> bytes:
        trun = box(b"trun", struct.pack(">IIiI", 0x201, 1, 0, 4))
        moof = box(b"moof", box(b"traf", tfhd(base) + trun))
        return moof + box(b"mdat", b"abcd")

    head = box(b"ftyp", b"isom") + box(b"moov", box(b"mvhd", bytes(100)))
    body = film(len(head) + len(film(0)) - 4)
    marked = write_label(head + body, VideoFormat.MP4, VALUE)
    assert marked.endswith(film(len(marked) - 4))
    assert coded_digest(marked, VideoFormat.MP4) == coded_digest(head + body, VideoFormat.MP4)
    # An index before the film counts from its own end.
    sidx = box(b"sidx", bytes(12) + struct.pack(">II", 0, len(head)) + bytes(4))
    data = sidx + head + film(len(sidx) + len(head) + len(film(0)) - 4)
    grown = len(write_label(data, VideoFormat.MP4, VALUE)) - len(data)
    moved = write_label(data, VideoFormat.MP4, VALUE)
    assert struct.unpack_from(">I", moved, 24)[0] == len(head) + grown


def test_mp4_free_space_gives_the_room():
    data = made("mp4 fast start")
    moov = next(top for top in boxes(data) if top.kind == b"moov")
    offsets = mp4_label.chunk_edits(data, lambda at: at + 4008)
    roomy = splice(data, [*offsets, (moov.end, moov.end, box(b"free", bytes(4000)))])
    assert coded_digest(roomy, VideoFormat.MP4) == coded_digest(data, VideoFormat.MP4)
    marked = write_label(roomy, VideoFormat.MP4, VALUE)
    assert len(marked) == len(roomy)
    assert marked.endswith(data[moov.end :])


def test_mp4_that_cannot_be_moved_is_refused():
    data = made("mp4 fast start")
    with pytest.raises(CorruptMedia, match="runs past"):
        write_label(data[:-50], VideoFormat.MP4, VALUE)
    assert read_tags(data[:-50], VideoFormat.MP4) == read_tags(data, VideoFormat.MP4)
    moov = next(top for top in boxes(data) if top.kind == b"moov")
    with pytest.raises(CorruptMedia, match="two moov"):
        write_label(data + data[moov.start : moov.end], VideoFormat.MP4, VALUE)
    items = box(b"meta", bytes(4) + box(b"iloc", bytes(8)))
    with pytest.raises(UnsupportedFormat, match="items"):
        write_label(data + items, VideoFormat.MP4, VALUE)
    packed = box(b"ftyp", b"qt  ") + box(b"moov", box(b"cmov", b"")) + box(b"mdat", b"")
    with pytest.raises(UnsupportedFormat, match="compressed"):
        write_label(packed, VideoFormat.MOV, VALUE)
    away = data.replace(b"url \0\0\0\1", b"url \0\0\0\0", 1)
    with pytest.raises(UnsupportedFormat, match="another file"):
        write_label(away, VideoFormat.MP4, VALUE)


def test_mp4_label_does_not_take_the_number_of_a_key_of_a_phone():
    def key(name: bytes) -> bytes:
        return box(b"mdta", name)

    def item(number: int, text: bytes) -> bytes:
        return box(struct.pack(">I", number), box(b"data", struct.pack(">II", 1, 0) + text))

    keys = box(b"keys", struct.pack(">II", 0, 2) + key(b"com.make") + key(b"com.model"))
    hdlr = box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    meta = box(b"meta", hdlr + keys + box(b"ilst", item(1, b"Make") + item(2, b"Model")))
    data = made("mov")
    moov = next(top for top in boxes(data) if top.kind == b"moov")
    assert moov.end == len(data)
    phone = data[: moov.start] + box(b"moov", data[moov.body :] + meta)
    marked = write_label(phone, VideoFormat.MOV, VALUE)
    only_label(marked, VideoFormat.MOV)
    assert write_label(marked, VideoFormat.MOV, VALUE) == marked
    metadata = told(marked, ".mov", "-f", "ffmetadata")
    assert "com.model=Model" in metadata
    assert "com.make=Make\n" in metadata


def test_mp4_xmp_and_quicktime_texts_are_read():
    uuid = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + PACKET)
    tags = read_tags(made("mp4") + uuid, VideoFormat.MP4)
    assert tags.packets == [PACKET]
    assert labels(tags)[0].carrier == "XMP TC260:AIGC"
    store = box(b"uuid", bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + b"store")
    assert read_tags(made("mov") + store, VideoFormat.MOV).c2pa


# ---- Matroska --------------------------------------------------------------------------------

_uint = ebml.element


def at_position(kind: int, value: int) -> bytes:
    return ebml.element(kind, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def positions(data: bytes) -> dict[int, list[int]]:
    """What the positions in SeekHead, Cues and clusters lead to, by the kind of what says them."""
    film = matroska.taken_apart(io.BytesIO(data))
    base, found = film.segment.body, {}

    def collect(start: int, end: int) -> None:
        for one in ebml.parts(data, start, end):
            if one.kind in (0x53AC, 0xF1, 0xA7):
                place = base + ebml.number(data, one)
                found.setdefault(one.kind, []).append(ebml.head(data, place).kind)
            elif one.kind in (0x4DBB, 0xBB, 0xB7):
                collect(one.body, one.end)

    for part in film.parts:
        if part.kind in (matroska.SEEK_HEAD, matroska.CUES):
            collect(part.body, part.end)
        for one in matroska.cluster_head(io.BytesIO(data), part):
            if part.kind == matroska.CLUSTER and one.kind == matroska.POSITION:
                assert base + ebml.number(data, one) == part.start
                found.setdefault(matroska.POSITION, []).append(matroska.CLUSTER)
    return found


def check_sums(data: bytes) -> int:
    """Return how many parts have a CRC-32, all of them right."""
    film, count = matroska.taken_apart(io.BytesIO(data)), 0
    for part in film.parts:
        if data[part.body] == ebml.CRC:
            assert (
                ebml.packed(part.kind, data[part.body : part.end], ebml.width_of(part))
                == (data[part.start : part.end])
            )
            count += 1
    return count


@pytest.mark.parametrize("name", ["mkv", "mkv cues in front", "webm"])
def test_mkv_positions_and_sums_are_right(name):
    data = made(name)
    for value in (VALUE, "x" * 100, "x" * 70_000):
        marked = write_label(data, fmt_of(name), value)
        assert positions(marked) == positions(data)
        assert set(positions(marked)[0xF1]) == {matroska.CLUSTER}
        assert check_sums(marked) == check_sums(data)
        whole = matroska.taken_apart(io.BytesIO(marked))
        assert whole.end == len(marked)
        assert not whole.cut
    assert "mkv" not in name or check_sums(data) > 3


EBML_HEAD = ebml.element(ebml.HEADER, ebml.element(ebml.DOC_TYPE, b"matroska"))
TRACK = ebml.element(matroska.TRACKS, ebml.element(0xAE, ebml.element(0x83, b"\1")))


def simple(name: str, text: str, *inside: bytes) -> bytes:
    texts = ebml.element(matroska.NAME, name.encode()) + ebml.element(
        matroska.STRING, text.encode()
    )
    return ebml.element(matroska.SIMPLE, texts + b"".join(inside))


def tags_of(*tags: bytes) -> bytes:
    return ebml.element(matroska.TAGS, b"".join(ebml.element(matroska.TAG, one) for one in tags))


def segment(*parts: bytes, width: int = 1) -> bytes:
    return EBML_HEAD + ebml.element(matroska.SEGMENT, b"".join(parts), width)


def cluster(position: int, blocks: bytes = b"\xa3\x82ab") -> bytes:
    return ebml.element(matroska.CLUSTER, b"\xe7\x81\0" + at_position(0xA7, position) + blocks)


def test_mkv_positions_that_outgrow_their_width():
    def film(extra: int) -> bytes:
        # One byte of position is enough before, and two are needed after.
        seek = ebml.element(0x4DBB, _uint(0x53AB, b"\x1f\x43\xb6\x75") + at_position(0x53AC, extra))
        return ebml.element(matroska.SEEK_HEAD, seek)

    place = len(film(0)) + len(TRACK)
    cues = ebml.element(
        matroska.CUES, ebml.element(0xBB, ebml.element(0xB7, at_position(0xF1, place)))
    )
    data = segment(film(place), TRACK, cluster(place), cues)
    assert set(positions(data)[0xF1]) == {matroska.CLUSTER}
    for value in (VALUE, "x" * 70_000):
        marked = write_label(data, VideoFormat.MKV, value)
        only_label(marked, VideoFormat.MKV, value)
        assert positions(marked)[0xF1] == positions(marked)[0x53AC] == [matroska.CLUSTER]
        # Its own position cannot say more than 255: it is left out.
        assert matroska.POSITION not in positions(marked)
        assert coded_digest(marked, VideoFormat.MKV) == coded_digest(data, VideoFormat.MKV)
        assert write_label(marked, VideoFormat.MKV, value) == marked


def test_mkv_empty_space_before_the_clusters_is_used():
    roomy = segment(TRACK, ebml.void(4000), cluster(len(TRACK) + 4000))
    marked = write_label(roomy, VideoFormat.MKV, VALUE)
    assert len(marked) == len(roomy)
    assert positions(marked)[matroska.POSITION] == [matroska.CLUSTER]
    only_label(marked, VideoFormat.MKV)


def test_mkv_labels_in_all_places_are_read_and_replaced():
    part = ebml.element(matroska.TARGETS, ebml.element(0x63C5, b"\7"))
    nested = simple("TITLE", "kept", simple("AIGC", OLD), simple("ARTIST", "kept too"))
    first = tags_of(part + simple("aigc", OLD), simple("COMMENT", OLD) + nested)
    second = tags_of(simple("AIGC", OLD))
    seek = ebml.element(0x4DBB, _uint(0x53AB, b"\x12\x54\xc3\x67") + _uint(0x53AC, bytes([0, 99])))
    seek_head = ebml.element(matroska.SEEK_HEAD, seek)
    place = len(seek_head) + len(TRACK) + len(first)
    end = place + len(cluster(place))
    seek_head = seek_head.replace(bytes([0, 99]), end.to_bytes(2, "big"))
    data = segment(seek_head, TRACK, first, cluster(place), second)
    assert positions(data)[0x53AC] == [matroska.TAGS]
    tags = read_tags(data, VideoFormat.MKV)
    assert {one.carrier for one in labels(tags)} == {
        "Matroska Tags AIGC", "Matroska Tags (of a part) AIGC", "Matroska Tags (nested) AIGC",
    }  # fmt: skip
    marked = write_label(data, VideoFormat.MKV, VALUE)
    only_label(marked, VideoFormat.MKV)
    left = [(one.key, one.text) for one in read_tags(marked, VideoFormat.MKV).texts]
    assert ("COMMENT", OLD) in left
    assert ("TITLE", "kept") in left
    assert ("ARTIST", "kept too") in left
    assert positions(marked)[0x53AC] == [matroska.TAGS]
    assert write_label(marked, VideoFormat.MKV, VALUE) == marked


def test_mkv_without_sizes():
    unknown = b"\x01" + b"\xff" * 7
    open_cluster = b"\x1f\x43\xb6\x75" + unknown + b"\xe7\x81\0\xa3\x82ab"
    data = EBML_HEAD + b"\x18\x53\x80\x67" + unknown + TRACK + open_cluster * 3
    marked = write_label(data, VideoFormat.MKV, VALUE)
    only_label(marked, VideoFormat.MKV)
    assert marked.endswith(open_cluster * 3)
    assert coded_digest(marked, VideoFormat.MKV) == coded_digest(data, VideoFormat.MKV)
    with pytest.raises(CorruptMedia, match="cut off"):
        write_label(data[:-1], VideoFormat.MKV, VALUE)
    assert not read_tags(data[:-1], VideoFormat.MKV).texts


def test_mkv_size_of_the_segment_gets_wider():
    data = segment(TRACK, cluster(len(TRACK)))
    assert data[len(EBML_HEAD) + 4] & 0x80
    marked = write_label(data, VideoFormat.MKV, "x" * 5000)
    film = matroska.taken_apart(io.BytesIO(marked))
    assert film.segment.end == len(marked)
    only_label(marked, VideoFormat.MKV, "x" * 5000)


# ---- AVI -------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def avi_film(*before: bytes, absolute: bool = False) -> bytes:
    """A film with a super index, an index of chunks and an idx1, of one frame in each RIFF."""

    def laid_out(places: list[int]) -> bytes:
        first_ix, second_ix, movi = places
        rows = struct.pack("<QII", first_ix, 32, 1) + struct.pack("<QII", second_ix, 32, 1)
        indx = chunk(b"indx", struct.pack("<HBBI4s12x", 4, 0, 0, 2, b"00dc") + rows)
        strl = chunk(b"LIST", b"strl" + chunk(b"strh", bytes(56)) + indx)
        hdrl = chunk(b"LIST", b"hdrl" + strl)

        def pictures(base: int) -> bytes:
            ix = struct.pack("<HBBI4sQ4xII", 2, 0, 1, 1, b"00dc", base, 12, 5)
            return chunk(b"LIST", b"movi" + chunk(b"00dc", b"frame") + chunk(b"ix00", ix))

        offset = movi + 4 if absolute else 4
        idx1 = chunk(b"idx1", struct.pack("<4sIII", b"00dc", 16, offset, 5))
        body = b"AVI " + hdrl + b"".join(before) + pictures(movi) + idx1
        return chunk(b"RIFF", body) + chunk(b"RIFF", b"AVIX" + pictures(second_ix - 18))

    data = laid_out([100, 100, 100])
    first = data.index(b"ix00")
    return laid_out([first, data.index(b"ix00", first + 1), data.index(b"movi")])


def check_avi(data: bytes) -> None:
    indx, movi = data.index(b"indx"), data.index(b"movi")
    for row in (indx + 32, indx + 48):
        (place,) = struct.unpack_from("<Q", data, row)
        assert data[place : place + 4] == b"ix00"
        (base,) = struct.unpack_from("<Q", data, place + 20)
        (offset,) = struct.unpack_from("<I", data, place + 32)
        assert data[base + offset : base + offset + 5] == b"frame"
    (offset,) = struct.unpack_from("<I", data, data.index(b"idx1") + 16)
    assert b"00dc" in (data[movi + offset : movi + offset + 4], data[offset : offset + 4])
    at = 0
    while at < len(data):
        assert data[at : at + 4] == b"RIFF"
        at += 8 + struct.unpack_from("<I", data, at + 4)[0]
    assert at == len(data)


@pytest.mark.parametrize("absolute", [False, True])
def test_avi_indexes_move_along(absolute):
    info = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"name\0"))
    for before in ((), (info,), (info, chunk(b"JUNK", bytes(20)))):
        data = avi_film(*before, absolute=absolute)
        check_avi(data)
        marked = write_label(data, VideoFormat.AVI, VALUE)
        assert len(marked) > len(data)
        check_avi(marked)
        only_label(marked, VideoFormat.AVI)
        assert coded_digest(marked, VideoFormat.AVI) == coded_digest(data, VideoFormat.AVI)
        assert write_label(marked, VideoFormat.AVI, VALUE) == marked


def test_avi_padding_gives_the_room():
    info, junk = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"n\0")), chunk(b"JUNK", bytes(1000))
    for before in ((junk,), (info, junk)):
        data = avi_film(*before)
        marked = write_label(data, VideoFormat.AVI, VALUE)
        assert len(marked) == len(data)
        assert marked[data.index(b"movi") :] == data[data.index(b"movi") :]
        only_label(marked, VideoFormat.AVI)


def test_avi_other_carriers_are_read_and_replaced():
    info = chunk(b"LIST", b"INFO" + chunk(b"ICMT", OLD.encode()) + chunk(b"AIGC", OLD.encode()))
    data = avi_film(info, info, chunk(b"AIGC", OLD.encode()), chunk(b"_PMX", PACKET))
    tags = read_tags(data, VideoFormat.AVI)
    assert [one.carrier for one in labels(tags)] == [
        "AVI INFO AIGC", "AVI INFO AIGC", "AVI AIGC", "XMP TC260:AIGC",
    ]  # fmt: skip
    marked = write_label(data, VideoFormat.AVI, VALUE)
    check_avi(marked)
    assert [(one.carrier, one.text) for one in labels(read_tags(marked, VideoFormat.AVI))] == [
        ("AVI INFO AIGC", VALUE), ("XMP TC260:AIGC", OLD),
    ]  # fmt: skip


def test_avi_that_would_be_harmed_is_refused():
    data = avi_film()
    with pytest.raises(CorruptMedia, match="cut off"):
        write_label(data[:-3], VideoFormat.AVI, VALUE)
    with pytest.raises(CorruptMedia, match="leads nowhere"):
        write_label(data.replace(b"ix00", b"xx00"), VideoFormat.AVI, VALUE)
    with pytest.raises(CorruptMedia, match="no pictures"):
        read_tags(data.replace(b"movi", b"rec "), VideoFormat.AVI)


# ---- FLV -------------------------------------------------------------------------------------


def test_flv_positions_move_along():
    data = made("flv keyframes")
    marked = write_label(data, VideoFormat.FLV, VALUE)
    start = marked.index(b"onMetaData") + 10
    fields = {one.name: one for one in amf.properties(marked, start)}
    (size,) = struct.unpack_from(">d", marked, fields[b"filesize"].value + 1)
    assert size == len(marked)
    inner = amf.properties(marked, fields[b"keyframes"].value)
    places = next(one for one in inner if one.name == b"filepositions")
    found = [
        int(struct.unpack_from(">d", marked, at)[0]) for at in amf.numbers(marked, places.value)
    ]
    assert len(found) > 2
    assert {marked[at] for at in found} == {9}
    assert struct.unpack_from(">I", marked, start + 1)[0] == len(fields)


def test_flv_without_metadata():
    frame = bytes([9, 0, 0, 2]) + bytes(7) + b"ab" + struct.pack(">I", 13)
    data = b"FLV\1\1" + struct.pack(">II", 9, 0) + frame
    marked = write_label(data, VideoFormat.FLV, VALUE)
    only_label(marked, VideoFormat.FLV)
    assert marked.endswith(frame)
    assert marked.startswith(data[:13] + b"\x12")
    assert coded_digest(marked, VideoFormat.FLV) == coded_digest(data, VideoFormat.FLV)


# ---- hostile files ---------------------------------------------------------------------------


def survived(data: bytes, fmt: VideoFormat) -> None:
    """Only `MediaError` may come out; what is written must read back, its pictures the same."""
    attempt(lambda: sniff_media(data))
    attempt(lambda: read_tags(data, fmt))
    digest = attempt(lambda: coded_digest(data, fmt))
    marked = attempt(lambda: write_label(data, fmt, VALUE))
    if isinstance(marked, bytes):
        found = labels(read_tags(marked, fmt))
        assert canonical_carrier(fmt) in [one.carrier for one in found if one.text == VALUE]
        if isinstance(digest, bytes):
            assert coded_digest(marked, fmt) == digest


@pytest.mark.parametrize("name", HOSTILE)
def test_mutated_files(name):
    rng, fmt = random.Random(name), fmt_of(name)
    original = write_label(made(name), fmt, OLD) if rng.random() < 0.5 else made(name)
    for _ in range(60):
        data = bytearray(original)
        for _ in range(rng.randint(1, 4)):
            # Heads and tails hold the structure; any byte, a run, or a lying size.
            at = rng.randrange(min(len(data), 6000)) * rng.choice((1, 1, -1)) % len(data)
            change = rng.randrange(5)
            if change == 0:
                data[at] = rng.randrange(256)
            elif change == 1:
                data[at : at + 4] = rng.choice((bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff"))
            elif change == 2:
                del data[at : at + rng.randint(1, 60)]
            elif change == 3:
                data[at:at] = data[at : at + rng.randint(1, 60)]
            else:
                del data[max(at, 16) :]
        survived(bytes(data), fmt)


@pytest.mark.parametrize("fmt", VideoFormat)
def test_any_bytes(fmt):
    rng = random.Random(fmt.value)
    for size in range(0, 200, 3):
        survived(rng.randbytes(size), fmt)


@pytest.mark.parametrize("name", ["mp4", "mkv", "avi", "flv"])
def test_every_truncation_of_the_head(name):
    for end in range(0, 600, 7):
        survived(made(name)[:end], fmt_of(name))


def test_bombs_end_in_an_error():
    tiny = box(b"free", b"")
    with pytest.raises(ResourceLimit):
        read_tags(tiny * ((1 << 17) + 1), VideoFormat.MP4)
    with pytest.raises(ResourceLimit):
        read_tags(segment(ebml.void(2) * ((1 << 17) + 1), width=8), VideoFormat.MKV)
    deep = simple("x", "y")
    for _ in range(20):
        deep = simple("x", "y", deep)
    with pytest.raises(ResourceLimit, match="nested"):
        read_tags(segment(tags_of(deep), width=8), VideoFormat.MKV)
    with pytest.raises(ResourceLimit):
        read_tags(avi_film(*[chunk(b"JUNK", b"")] * (1 << 13)), VideoFormat.AVI)
    nested = b"\0\0\x09" * 40
    for _ in range(40):
        nested = b"\3\0\1x" + nested
    data = amf.string(b"onMetaData") + nested
    flv = b"FLV\1\1" + struct.pack(">II", 9, 0) + b"\x12" + len(data).to_bytes(3, "big") + bytes(7)
    with pytest.raises(ResourceLimit):
        read_tags(flv + data + struct.pack(">I", len(data) + 11), VideoFormat.FLV)


def test_pieces_refuse_edits_that_overlap():
    with pytest.raises(CorruptMedia, match="share"):
        pieces.copy_spliced(io.BytesIO(b"abcdef"), io.BytesIO(), [(0, 3, b""), (2, 4, b"")])
