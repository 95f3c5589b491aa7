"""Sound files in, arrays out, and back; and what strangers may send."""

from __future__ import annotations

import io
import logging
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiglabel.containers.sniff import SoundFormat
from aiglabel.errors import CorruptMedia, MediaError, OutputError, ResourceLimit, UnsupportedFormat
from aiglabel.media import ffmpeg, ffmpeg_audio, sound, sound_tags, wave_file
from aiglabel.media.limits import Limits
from aiglabel.media.quantise import Quantiser
from aiglabel.media.sound_coding import Codec, Coding, Sound, usual_layout
from aiglabel.media.sound_tags import picture_block, read_picture, read_tags

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"
WAV, FLAC, MP3 = SoundFormat.WAV, SoundFormat.FLAC, SoundFormat.MP3
M4A, OGG, OPUS = SoundFormat.M4A, SoundFormat.OGG, SoundFormat.OPUS
LOSSY = [(MP3, "mp3"), (M4A, "aac"), (OGG, "vorbis"), (OPUS, "opus")]
ALL = [*LOSSY, (WAV, "pcm"), (FLAC, "flac"), (M4A, "alac"), (OGG, "flac")]


def tones(channels=2, rate=44_100, count=30_123, seed=1):
    """A rising tone of its own in every channel, a low one in the LFE; float32 (channels, n)."""
    rng = np.random.default_rng(seed)
    t = np.arange(count) / rate
    rise = (rate / 8 - 200) / 2 / t[-1]
    y = [np.sin(2 * np.pi * ((200 + 37 * c) * t + rise * t * t)) for c in range(channels)]
    if channels in (6, 8):
        y[3] = np.sin(2 * np.pi * (40 + 5 * t / t[-1]) * t)
    return (0.3 * np.stack(y) + 0.01 * rng.standard_normal((channels, count))).astype(np.float32)


def on_grid(y, bits):
    steps = 2.0 ** (min(bits, 24) - 1)
    return (np.rint(y * steps) / steps).astype(np.float32)


def coding_of(container, codec, *, rate=44_100, channels=2, bits=None, **more):
    layout = usual_layout(channels)
    return Coding(container, codec, rate, channels, layout, bits=bits, **more)


def coded(container, codec, y=None, rate=44_100, bits=16, **more):
    y = tones(rate=rate) if y is None else y
    coding = coding_of(WAV, "pcm", rate=rate, channels=len(y), bits=bits)
    return sound.encode(Sound(y, coding), target=coding.into(container, codec, **more))


def lag(a, b):
    """Samples by which `b` comes later than `a`."""
    size = 1 << (2 * max(len(a), len(b)) - 1).bit_length()
    c = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)))
    best = int(np.argmax(c))
    return best - size if best > size // 2 else best


def snr(a, b):
    return 10 * np.log10(np.sum(a**2) / np.sum((a - b) ** 2))


# ---------------------------------------------------------------------- lossless


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_wav_comes_back_exactly(bits: int, channels: int) -> None:
    for rate in (8000, 44_100, 192_000):
        y = on_grid(tones(channels, rate), bits)
        data = sound.encode(
            Sound(y, coding_of(WAV, "pcm", rate=rate, channels=channels, bits=bits))
        )
        back = sound.decode(data)
        assert np.array_equal(back.y, y)
        assert (back.rate, back.coding.bits, back.coding.samples) == (rate, bits, y.shape[1])
        assert back.coding.layout == usual_layout(channels)
        assert sound.encode(back) == data


@pytest.mark.parametrize("bits", [32, 64])
def test_float_wav_comes_back_exactly_beyond_full_scale_too(bits: int) -> None:
    y = 3 * tones()
    data = sound.encode(Sound(y, coding_of(WAV, "pcm", bits=bits, floating=True)))
    back = sound.decode(data)
    assert np.array_equal(back.y, y)
    assert back.coding.floating
    assert back.coding.bits == bits
    assert data[36 + 2 : 40 + 2] == b"fact"


@pytest.mark.parametrize(
    ("container", "codec", "bits", "channels", "rate"),
    [
        (FLAC, "flac", 16, 1, 8000), (FLAC, "flac", 24, 2, 96_000), (FLAC, "flac", 24, 8, 192_000),
        (FLAC, "flac", 16, 6, 48_000), (M4A, "alac", 16, 2, 44_100), (M4A, "alac", 24, 6, 96_000),
        (OGG, "flac", 24, 2, 48_000), (FLAC, "flac", 24, 1, 22_050),
    ],
)  # fmt: skip
def test_coded_lossless_comes_back_exactly(
    container: SoundFormat, codec: Codec, bits: int, channels: int, rate: int
) -> None:
    y = on_grid(tones(channels, rate), bits)
    data = sound.encode(
        Sound(y, coding_of(container, codec, rate=rate, channels=channels, bits=bits))
    )
    back = sound.decode(data)
    assert np.array_equal(back.y, y)
    assert (back.coding.bits, back.coding.codec, back.rate) == (bits, codec, rate)
    assert back.coding.layout == usual_layout(channels)
    assert sound.encode(back) == data


# ---------------------------------------------------------------------- lossy


@pytest.mark.parametrize(("container", "codec"), LOSSY)
@pytest.mark.parametrize(
    ("channels", "rate", "count"),
    [(1, 8000, 5456), (2, 44_100, 29_523), (2, 48_000, 150_777), (6, 48_000, 60_001),
     (8, 48_000, 20_000), (2, 22_050, 40_000), (1, 96_000, 90_001)],
)  # fmt: skip
def test_lossy_keeps_start_length_and_channels(
    container: SoundFormat, codec: Codec, channels: int, rate: int, count: int
) -> None:
    y = tones(channels, rate, count)
    coding = coding_of(container, codec, rate=rate, channels=channels)
    if codec == "mp3" and (channels > 2 or rate > 48_000):
        with pytest.raises(UnsupportedFormat, match="WAV"):
            sound.encode(Sound(y, coding))
        return
    back = sound.decode(sound.encode(Sound(y, coding)))
    assert back.coding.layout == usual_layout(channels)
    if codec == "opus" and rate != 48_000:
        assert back.rate == 48_000
        assert abs(back.y.shape[1] - count * 48_000 / rate) <= 1
        return
    assert back.rate == rate
    assert back.y.shape == y.shape
    for number, (a, b) in enumerate(zip(y, back.y, strict=True)):
        assert snr(a, b) > 5
        if number != 3:  # the LFE's narrow band tells no sample
            assert lag(a, b) == 0
    others = snr(y[0], back.y[-1]) if channels > 1 else 0
    assert others < 5  # channels did not change places


@pytest.mark.parametrize("bitrate", [64_000, 192_000])
def test_bit_rate_class_is_that_of_the_source(bitrate: int) -> None:
    y = tones(count=120_000)
    for container, codec in LOSSY:
        rate = 48_000
        first = sound.decode(coded(container, codec, y, rate=rate, bitrate=bitrate))
        again = sound.probe(sound.encode(first))
        assert first.coding.bitrate == pytest.approx(bitrate, rel=0.35)
        assert again.bitrate == pytest.approx(first.coding.bitrate, rel=0.2)


def test_variable_mp3_stays_variable(tmp_path: Path) -> None:
    wav = tmp_path / "a.wav"
    wav.write_bytes(coded(WAV, "pcm", tones(count=200_000)))
    exe = ffmpeg.ffmpeg_exe()
    mp3 = tmp_path / "a.mp3"
    subprocess.run([exe, "-v", "error", "-i", wav, "-q:a", "4", mp3], check=True)
    first = sound.decode(mp3)
    assert first.coding.variable
    assert first.y.shape == (2, 200_000)
    again = sound.probe(sound.encode(first))
    assert again.variable
    assert again.bitrate == pytest.approx(first.coding.bitrate, rel=0.3)


def test_mp3_states_delay_and_padding() -> None:
    coding = sound.probe(coded(MP3, "mp3"))
    assert coding.delay == 1105
    assert (coding.delay + coding.padding + coding.samples) % 1152 == 0


def test_mp3_without_lame_fields_is_read_whole() -> None:
    data = coded(MP3, "mp3")
    at = data.index(b"Info")
    bare = data[:at] + bytes(160) + data[at + 160 :]
    assert sound.probe(bare).samples is None
    assert sound.decode(bare).y.shape[1] >= 30_123


# ---------------------------------------------------------------------- converting


def test_containers_into_others() -> None:
    y = on_grid(tones(rate=48_000, count=12_000), 16)
    for number, (container, codec) in enumerate(ALL):
        first = sound.decode(coded(container, codec, y, rate=48_000))
        for target, other in ALL[number % 2 :: 2]:
            back = sound.decode(sound.encode(first, target=first.coding.into(target, other)))
            assert back.y.shape == y.shape
            assert (back.coding.container, back.coding.codec) == (target, other)
            assert lag(y[0], back.y[0]) == 0


def test_opus_in_ogg_is_opus_and_other_sound_in_ogg_is_vorbis() -> None:
    opus, pcm = coding_of(OPUS, "opus", rate=48_000), coding_of(WAV, "pcm", rate=48_000)
    for coding, target, container, codec in (
        (opus, OGG, OPUS, "opus"), (opus, OPUS, OPUS, "opus"), (pcm, OGG, OGG, "vorbis"),
        (pcm, OPUS, OPUS, "opus"), (coding_of(FLAC, "flac", bits=16), OGG, OGG, "flac"),
    ):  # fmt: skip
        into = coding.into(target)
        assert (into.container, into.codec) == (container, codec)
    with pytest.raises(UnsupportedFormat, match="hold"):
        opus.into(OPUS, "vorbis")


def test_an_audio_book_with_pictures_of_its_chapters_is_sound(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(coded(WAV, "pcm"))
    command = [ffmpeg.ffmpeg_exe(), "-v", "error", "-i", tmp_path / "a.wav", "-f", "lavfi", "-i"]
    command += ["testsrc=size=64x64:rate=2:duration=1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"]
    subprocess.run([*command, "-c:a", "aac", "-f", "mov", tmp_path / "a.m4a"], check=True)
    first = sound.decode(tmp_path / "a.m4a")
    back = sound.decode(sound.encode(first))
    assert back.y.shape == first.y.shape == (2, 30_123)


def test_what_a_target_cannot_hold_is_refused() -> None:
    y = tones(8, 192_000, 5000)
    source = Sound(y, coding_of(WAV, "pcm", rate=192_000, channels=8, bits=24))
    for container, codec in ((MP3, "mp3"), (M4A, "aac"), (M4A, "alac")):
        with pytest.raises(UnsupportedFormat, match="WAV"):
            sound.encode(source, target=source.coding.into(container, codec))
    with pytest.raises(UnsupportedFormat, match="hold"):
        source.coding.into(MP3, "flac")
    with pytest.raises(UnsupportedFormat, match="12 bits"):
        sound.encode(source.changed(bits=12))
    with pytest.raises(MediaError, match="Resample"):
        sound.encode(source, target=replace(source.coding, rate=48_000))
    with pytest.raises(MediaError, match="Mix"):
        sound.encode(source, target=replace(source.coding, channels=2))
    with pytest.raises(MediaError, match="shape"):
        sound.encode(source, y[:4])


def test_opus_with_five_channels_and_sounds_of_nothing_are_refused() -> None:
    for channels in (5, 7):
        with pytest.raises(UnsupportedFormat, match="FLAC"):
            sound.encode(Sound(tones(channels), coding_of(OPUS, "opus", channels=channels)))
    for container, codec in ALL:
        if container is not WAV:
            nothing = Sound(np.zeros((2, 0), np.float32), coding_of(container, codec, bits=16))
            with pytest.raises(MediaError, match="too short"):
                sound.encode(nothing)


def test_side_speakers_are_rear_speakers_where_the_format_has_no_others() -> None:
    y = on_grid(tones(6, 48_000), 16)
    wav = sound.encode(
        Sound(
            y, replace(coding_of(WAV, "pcm", rate=48_000, channels=6, bits=16), layout="5.1(side)")
        )
    )
    first = sound.decode(wav)
    assert first.coding.layout == "5.1(side)"
    back = sound.decode(sound.encode(first, target=first.coding.into(OGG, "vorbis")))
    assert back.coding.layout == "5.1"
    assert all(snr(a, b) > 5 for a, b in zip(y, back.y, strict=True))


# ---------------------------------------------------------------------- tags, art, chapters


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """An MP3 with tags that need care, two chapters and a cover; returns bytes and the cover."""
    folder = tmp_path_factory.mktemp("tagged")
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    art = cv2.imencode(".png", noise)[1].tobytes()
    (folder / "a.png").write_bytes(art)
    (folder / "a.wav").write_bytes(coded(WAV, "pcm", tones(count=100_000)))
    chapters = "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={a}\nEND={a + 1000}\ntitle={b}\n"
        for a, b in ((0, "eins"), (1000, "zwei"))
    )
    tags = ";FFMETADATA1\ntitle=a \\= b \\; 中文 \\\\ c\nartist=A\\\nB\ngenre=Folk\ndate=2024\n"
    (folder / "t.txt").write_text(tags + chapters, encoding="utf-8")
    command = [ffmpeg.ffmpeg_exe(), "-v", "error", "-i", folder / "a.wav", "-i", folder / "t.txt"]
    command += ["-i", folder / "a.png", "-map", "0:a", "-map", "2:v", "-c:v", "copy"]
    command += ["-disposition:v", "attached_pic", "-map_metadata", "1", "-map_chapters", "1"]
    subprocess.run([*command, "-id3v2_version", "3", folder / "a.mp3"], check=True)
    return (folder / "a.mp3").read_bytes(), art


@pytest.mark.parametrize(("container", "codec"), ALL)
def test_tags_chapters_and_art_are_kept(
    tagged: tuple[bytes, bytes],
    tmp_path: Path,
    container: SoundFormat,
    codec: Codec,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data, art = tagged
    first = sound.decode(data)
    once = sound.encode(first, target=first.coding.into(container, codec))
    twice = sound.encode(sound.decode(once))
    for number, result in enumerate((once, twice)):
        path = tmp_path / str(number)
        path.write_bytes(result)
        coding = sound.probe(path)
        found = read_tags(str(path), coding)
        values = {key.lower(): value for key, value in found.values.items()}
        assert values["title"] == "a = b ; 中文 \\ c"
        assert values["artist"] == "A\nB"
        assert values["genre"] == "Folk"
        assert "major_brand" not in values
        if container is WAV:
            assert "WAV has no place for: chapters, cover art" in caplog.text
            continue
        assert [c.title for c in found.chapters] == ["eins", "zwei"]
        assert [c.start for c in found.chapters] == pytest.approx([0, 1], abs=1e-3)
        assert read_picture(str(path), coding) == art


def test_mutagen_reads_the_tags(tagged: tuple[bytes, bytes], tmp_path: Path) -> None:
    mutagen = pytest.importorskip("mutagen")
    data, art = tagged
    first = sound.decode(data)
    for container, codec in ((MP3, "mp3"), (FLAC, "flac"), (M4A, "aac"), (OPUS, "opus")):
        path = tmp_path / codec
        path.write_bytes(sound.encode(first, target=first.coding.into(container, codec)))
        file = mutagen.File(path)
        assert file.info.length == pytest.approx(100_000 / 44_100, abs=0.06)
        said = str(file.tags)
        assert "中文" in said
        if codec == "opus":
            assert len(picture_block(art)) < len(said)
        if codec == "mp3":
            assert file.tags.version[:2] == (2, 3)
            assert file.tags.getall("APIC")[0].data == art


def test_a_tag_of_a_million_lines_takes_no_time() -> None:
    text = "title=" + "a\\\n" * 1_000_000 + "end\nartist=b\\=\\\\=c=\\;d\n;no=tag\nlonely\\"
    begun = time.process_time()
    lines = list(sound_tags._lines(text))
    halves = [sound_tags._halves(line) for line in lines]
    assert time.process_time() - begun < 5
    assert halves[0] == ("title", "=", "a\n" * 1_000_000 + "end")
    assert halves[1] == ("artist", "=", "b=\\=c=;d")
    assert halves[3] == ("lonely", "", "")


@given(st.text("ab=\\;#\n"), st.text("ab=\\;#\n"))
def test_escaped_tags_come_back(key: str, value: str) -> None:
    line = f"{sound_tags._escaped(key)}={sound_tags._escaped(value)}"
    assert [sound_tags._halves(one) for one in sound_tags._lines(line)] == [(key, "=", value)]


def test_wav_chunks_stay_in_place() -> None:
    data = coded(WAV, "pcm", tones(count=101), bits=24)
    extra = b"bext" + struct.pack("<I", 5) + b"hello\0"
    peak = b"PEAK" + struct.pack("<I", 4) + b"1234"
    tail = b"LIST" + struct.pack("<I", 14) + b"INFOINAM\2\0\0\0a\0"
    changed = data[:12] + extra + peak + data[12:] + tail
    first = sound.decode(changed)
    assert "PEAK" in first.notes[0]
    again = sound.encode(first, first.y / 2)
    assert again.index(b"bexthello"[:4]) < again.index(b"data") < again.index(tail)
    assert extra in again
    assert b"PEAK" not in again
    assert struct.unpack_from("<I", again, 4)[0] == len(again) - 8
    assert sound.encode(sound.decode(again)) == again


# ---------------------------------------------------------------------- WAV by itself


def test_rf64_is_kept_and_written_where_the_size_needs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    y = on_grid(tones(), 16)
    coding = coding_of(WAV, "pcm", bits=16)
    data = sound.encode(Sound(y, replace(coding, rf64=True)))
    assert data[:4] == b"RF64"
    back = sound.decode(data)
    assert back.coding.rf64
    assert np.array_equal(back.y, y)
    assert sound.encode(back) == data
    monkeypatch.setattr(wave_file, "_RIFF_MOST", 50_000)
    sound.write(tmp_path / "a.wav", iter([y[:, :100], y[:, 100:]]), coding)
    assert (tmp_path / "a.wav").read_bytes()[:4] == b"RF64"
    assert np.array_equal(sound.decode(tmp_path / "a.wav").y, y)


def test_wav_of_unknown_length_is_read_to_its_end() -> None:
    data = coded(WAV, "pcm")
    at = data.index(b"data") + 4
    piped = data[:at] + b"\xff" * 4 + data[at + 4 :]
    assert np.array_equal(sound.decode(piped).y, sound.decode(data).y)


def test_wav_agrees_with_ffmpeg(tmp_path: Path) -> None:
    for bits, floating in (
        (8, False),
        (16, False),
        (24, False),
        (32, False),
        (32, True),
        (64, True),
    ):
        y = tones(6, 48_000, 5000)
        coding = coding_of(WAV, "pcm", rate=48_000, channels=6, bits=bits, floating=floating)
        path = tmp_path / "a.wav"
        path.write_bytes(sound.encode(Sound(y, coding)))
        ours = sound.decode(path)
        theirs = np.concatenate(
            list(ffmpeg_audio.read_blocks(str(path), ours.coding, 999, seconds=9)), axis=1
        )
        assert np.array_equal(ours.y, theirs)


def test_wav_with_compressed_samples_is_refused() -> None:
    data = bytearray(coded(WAV, "pcm"))
    data[20] = 7
    with pytest.raises(UnsupportedFormat, match=r"mu-law.*Convert"):
        sound.decode(bytes(data))


# ---------------------------------------------------------------------- rounding


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.sampled_from([8, 16, 24, 32]), st.integers(0, 99))
def test_rounding_does_not_depend_on_the_pieces(size: int, bits: int, seed: int) -> None:
    y = np.random.default_rng(seed).uniform(-1.01, 1.01, (2, 400)).astype(np.float32)
    y[:, ::3] = on_grid(y[:, ::3], bits)
    whole, parts = Quantiser(bits), Quantiser(bits)
    pieces = [parts(y[:, i : i + size]) for i in range(0, 400, size)]
    assert np.array_equal(whole(y), np.concatenate(pieces))
    assert np.abs(whole(y)).max() <= 2 ** (bits - 1)


def test_dither_makes_the_error_steady_and_leaves_silence_alone() -> None:
    rate = 48_000
    t = np.arange(10 * rate) / rate
    quiet = (0.7 * 2**-15 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)[None]
    steps = Quantiser(16)(quiet)[:, 0]
    error = steps - quiet[0] * 2**15
    spectrum = np.abs(np.fft.rfft(error * np.hanning(len(error)))) ** 2
    third = spectrum[30_000 - 5 : 30_000 + 6].max()  # 3 kHz, where plain rounding distorts most
    assert third < 30 * np.median(spectrum)
    assert error.std() == pytest.approx(0.5, rel=0.05)
    assert not Quantiser(16)(np.zeros((2, 5000), np.float32)).any()


def test_clipping_is_reported_and_nan_refused(caplog: pytest.LogCaptureFixture) -> None:
    coding = coding_of(WAV, "pcm", bits=16)
    with caplog.at_level(logging.WARNING):
        data = sound.encode(Sound(np.full((2, 100), 1.5, np.float32), coding))
    assert "200 samples" in caplog.text
    assert sound.decode(data).y.max() == np.float32(32767 / 32768)
    for container, codec in ALL:
        nothing = Sound(np.full((2, 100), np.nan, np.float32), coding)
        with pytest.raises(MediaError, match="finite"):
            sound.encode(nothing, target=coding.into(container, codec))


# ---------------------------------------------------------------------- blocks, writing


@pytest.mark.parametrize(("container", "codec"), ALL)
def test_blocks_are_the_whole(container: SoundFormat, codec: Codec, tmp_path: Path) -> None:
    data = coded(container, codec)
    whole = sound.decode(data).y
    path = tmp_path / "x"
    path.write_bytes(data)
    parts = list(sound.blocks(path, size=7001))
    assert [p.shape[1] for p in parts[:-1]] == [7001] * (len(parts) - 1)
    assert np.array_equal(np.concatenate(parts, axis=1), whole)
    first = next(sound.blocks(io.BytesIO(data), size=10))
    assert np.array_equal(first, whole[:, :10])


@pytest.mark.parametrize(("container", "codec"), ALL)
def test_writing_by_blocks_is_writing_at_once(
    container: SoundFormat, codec: Codec, tmp_path: Path
) -> None:
    data = coded(container, codec)
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_bytes(data)
    coding = sound.probe(path)
    sound.write(out, sound.blocks(path, size=5000), coding, source=path)
    # Where its length is not known beforehand a WAV has room for the sizes of RF64.
    expected = sound.encode(sound.decode(path))
    if container is WAV:
        assert len(out.read_bytes()) == len(expected) + 36
        assert np.array_equal(sound.decode(out).y, sound.decode(expected).y)
    else:
        assert out.read_bytes() == expected


def test_writing_in_place_and_not_over_others(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(coded(FLAC, "flac"))
    first = sound.decode(path)
    with pytest.raises(OutputError, match="exists"):
        sound.write(path, first.y, first.coding, source=path)
    sound.write(path, first.y * np.float32(0.5), first.coding, source=path, overwrite=True)
    old = path.read_bytes()
    assert snr(first.y / 2, sound.decode(path).y) > 60
    with pytest.raises(MediaError, match="finite"):
        sound.write(path, first.y * np.nan, first.coding, source=path, overwrite=True)
    assert path.read_bytes() == old
    with pytest.raises(OutputError):
        sound.write(tmp_path / "no" / "a.flac", first.y, first.coding)
    assert os.listdir(tmp_path) == ["a.flac"]


def test_the_same_sound_gives_the_same_file() -> None:
    for container, codec in ALL:
        assert coded(container, codec) == coded(container, codec)


def test_an_error_of_the_source_of_blocks_passes_through(tmp_path: Path) -> None:
    def broken():
        yield tones()
        raise CorruptMedia("the reason")

    for container, codec in ALL:
        with pytest.raises(CorruptMedia, match="the reason"):
            sound.write(
                tmp_path / "x", broken(), coding_of(WAV, "pcm", bits=16).into(container, codec)
            )
    assert not os.listdir(tmp_path)


# ---------------------------------------------------------------------- the program


@pytest.fixture
def fresh_search() -> Iterator[None]:
    """The cached search for programs is done anew, before and after."""
    caches = (ffmpeg.ffmpeg_exe, ffmpeg.with_encoder)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def test_program_on_path_comes_first(
    fresh_search: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    imageio = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    (tmp_path / "ffmpeg").symlink_to(imageio)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sound.decode(coded(MP3, "mp3")).y.shape == (2, 30_123)
    assert ffmpeg.with_encoder("libmp3lame") == str(tmp_path / "ffmpeg")
    (tmp_path / "ffmpeg").unlink()
    ffmpeg.ffmpeg_exe.cache_clear()
    ffmpeg.with_encoder.cache_clear()
    assert ffmpeg.with_encoder("libmp3lame") == imageio


def test_missing_program_and_missing_encoder_are_told(
    fresh_search: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mp3, wav = coded(MP3, "mp3"), coded(WAV, "pcm")
    with pytest.raises(UnsupportedFormat, match="nosuch"):
        ffmpeg.with_encoder("nosuch")
    ffmpeg.ffmpeg_exe.cache_clear()
    ffmpeg.with_encoder.cache_clear()
    monkeypatch.setattr(ffmpeg, "_candidates", lambda: iter(()))
    with pytest.raises(MediaError, match="Install ffmpeg"):
        sound.decode(mp3)
    first = sound.decode(wav)  # WAV needs no program
    assert sound.encode(first) == wav
    with pytest.raises(MediaError, match="Install ffmpeg"):
        sound.encode(first, target=first.coding.into(MP3))


def test_a_program_that_hangs_is_stopped(
    fresh_search: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = coded(FLAC, "flac")
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\n[ $1 = -version ] && { echo ffmpeg; exit; }\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(ffmpeg_audio, "_STALL_S", 0.3)
    ffmpeg.ffmpeg_exe.cache_clear()
    start = time.monotonic()
    with pytest.raises(MediaError, match="stopped"):
        sound.decode(data)
    assert time.monotonic() - start < 30


def test_an_error_of_the_samples_is_not_taken_for_a_broken_pipe(tmp_path: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield tones()
        raise TimeoutError("the disk is gone")

    begun = time.monotonic()
    with pytest.raises(OutputError, match="disk is gone"):
        sound.write(tmp_path / "x.flac", broken(), coding_of(FLAC, "flac", bits=16))
    assert time.monotonic() - begun < 30


def test_a_program_that_stops_listening_is_told(
    fresh_search: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ffmpeg").write_text("#!/bin/sh\necho ' A....D flac  FLAC'\n")
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setattr(ffmpeg, "with_encoder", lambda name: str(tmp_path / "ffmpeg"))
    with pytest.raises(MediaError, match="stopped before the end"):
        sound.encode(Sound(tones(count=400_000), coding_of(FLAC, "flac", bits=16)))


# ---------------------------------------------------------------------- hostile


def test_playlists_do_not_lead_to_other_files(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(coded(WAV, "pcm"))
    (tmp_path / "secret.mp3").write_bytes(coded(MP3, "mp3"))
    for text in (
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.mp3\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile secret.mp3\n",
        f"#EXTM3U\n#EXTINF:9,\nfile://{tmp_path}/secret.wav\n",
    ):
        for name in ("a.mp3", "a.m4a", "a.wav", "a.flac", "a.ogg"):
            (tmp_path / name).write_text(text)
            with pytest.raises(UnsupportedFormat, match="not a sound"):
                sound.decode(tmp_path / name)
    # Behind a tag that ffmpeg would skip before it probes.
    tag = b"ID3\4\0\0\0\0\0\0"
    (tmp_path / "a.mp3").write_bytes(tag + b"#EXTM3U\n#EXTINF:9,\nsecret.mp3\n")
    with pytest.raises(UnsupportedFormat):
        sound.decode(tmp_path / "a.mp3")


def test_strange_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = coded(MP3, "mp3")
    monkeypatch.chdir(tmp_path)
    spoof = "a\n  Duration: 1\n  Stream #0:0: Audio: aac, 8000 Hz, mono, fltp"
    for name in ("-i", "%03d.mp3", "concat:a|b", "http:", "中文 ü.mp3", spoof, "a'b\"c"):
        Path(name).write_bytes(data)
        assert sound.decode(name).y.shape == (2, 30_123)
        sound.write(f"{name}.out", tones(), coding_of(MP3, "mp3"), source=name)
        assert sound.decode(f"{name}.out").y.shape == (2, 30_123)
    Path(spoof).write_bytes(coded(M4A, "aac"))
    assert sound.probe(spoof).channels == 2


OTHERS = [
    b"", b"R", b"plain text\n" * 99, b"\xff\xd8\xff\xe0" + bytes(99), b"\xff" * 9999, bytes(9999),
    b"ID3\4\0\0\x7f\x7f\x7f\x7f", b"OggS" + bytes(60), b"\xff\xf1\x50\x80" * 99, b"fLaC",
    b"\0\0\0\x18ftypM4A \0\0\0\0" + bytes(8), b"fLaC" + bytes(60), b"RIFF\0\0\0\0WAVE",
]  # fmt: skip


@pytest.mark.parametrize("data", OTHERS)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises((UnsupportedFormat, CorruptMedia)):
        sound.decode(data)


def test_wav_headers_that_lie() -> None:
    data = coded(WAV, "pcm")
    fmt, at = data.index(b"fmt ") + 8, data.index(b"data") + 4

    def lying(offset, form, value):
        changed = bytearray(data)
        struct.pack_into(form, changed, offset, value)
        return bytes(changed)

    with pytest.raises(CorruptMedia, match="promises 4294967280 bytes"):
        sound.decode(lying(at, "<I", 0xFFFF_FFF0))
    with pytest.raises(CorruptMedia, match="at 0 Hz"):
        sound.decode(lying(fmt + 4, "<I", 0))
    with pytest.raises(CorruptMedia, match="0 channels"):
        sound.decode(lying(fmt + 2, "<H", 0))
    with pytest.raises(ResourceLimit, match="65535 channels"):
        sound.decode(lying(fmt + 2, "<H", 65_535))
    with pytest.raises(ResourceLimit, match="max_rate"):
        sound.decode(lying(fmt + 4, "<I", 4_000_000_000))
    with pytest.raises(CorruptMedia):
        sound.decode(lying(fmt + 12, "<H", 3))
    with pytest.raises(CorruptMedia, match="promises"):
        sound.decode(data[:-1000])
    many = data[:12] + b"junk\0\0\0\0" * 2000 + data[12:]
    with pytest.raises(ResourceLimit, match="chunks"):
        sound.decode(many)


def test_limits_hold_for_every_format() -> None:
    for container, codec in ALL:
        data = coded(container, codec)
        for limits in (Limits(max_bytes=99), Limits(max_channels=1), Limits(max_rate=8000),
                       Limits(max_seconds=0.1), Limits(max_samples=1000)):  # fmt: skip
            with pytest.raises(ResourceLimit, match="Limits"):
                sound.decode(data, limits=limits)


def test_silence_that_grows_is_stopped() -> None:
    data = coded(FLAC, "flac", np.zeros((2, 4_000_000), np.float32), rate=8000)
    unknown = bytearray(data)
    unknown[21] &= 0xF0  # STREAMINFO: number of samples not known
    unknown[22:26] = bytes(4)
    assert len(data) < 100_000
    assert sound.probe(bytes(unknown)).samples is None
    with pytest.raises(ResourceLimit, match="max_samples"):
        sound.decode(bytes(unknown), limits=Limits(max_samples=1_000_000))
    with pytest.raises(ResourceLimit, match="max_seconds"):
        list(sound.blocks(bytes(unknown), limits=Limits(max_seconds=100)))


def test_truncated_files_are_told() -> None:
    for container, codec in (
        (WAV, "pcm"),
        (MP3, "mp3"),
        (FLAC, "flac"),
        (M4A, "aac"),
        (M4A, "alac"),
    ):
        data = coded(container, codec)
        with pytest.raises(CorruptMedia):
            sound.decode(data[: len(data) * 2 // 3])


@pytest.mark.parametrize(("container", "codec"), ALL)
def test_broken_files_raise_only_media_errors(container: SoundFormat, codec: Codec) -> None:
    rng = np.random.default_rng(7)
    data = coded(container, codec, tones(count=8000))
    limits = Limits(max_samples=2_000_000)
    start = max(0, data.find(b"moov"))
    for number in range(200 if container is WAV else 25):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 6)):
            at = int(start + rng.integers(300))
            changed[at : at + 4] = rng.choice(
                [b"\xff" * 4, bytes(4), rng.bytes(4), b"\x7f" + rng.bytes(3)]
            )
        if number % 3 == 0:
            changed = changed[: rng.integers(len(changed))]
        begun = time.monotonic()
        with suppress(MediaError):
            sound.decode(bytes(changed), limits=limits)
        assert time.monotonic() - begun < 30


def test_sources_that_are_no_files(tmp_path: Path) -> None:
    for src in (tmp_path, tmp_path / "no.wav", "a\0b"):
        with pytest.raises(MediaError) as caught:
            sound.decode(src)
        assert caught.value.path == str(src)
    with pytest.raises(MediaError, match="mode"):
        sound.decode(io.StringIO("text"))
    with pytest.raises(MediaError):
        next(sound.blocks(tmp_path / "x", size=0))


# ---------------------------------------------------------------------- real files


@pytest.mark.skipif(not MEDIA.exists(), reason="shared media are not here")
@pytest.mark.parametrize("path", sorted(MEDIA.glob("aud*")), ids=lambda p: p.name[:5])
def test_real_sounds_come_back(path: Path) -> None:
    first = sound.decode(path)
    assert first.seconds > 4
    first = replace(first, y=first.y[:, : 12 * first.rate])
    data = sound.encode(first)
    back = sound.decode(data)
    kept = ("container", "codec", "rate", "channels", "layout", "bits", "floating", "variable")
    assert all(getattr(back.coding, k) == getattr(first.coding, k) for k in kept)
    assert back.y.shape == first.y.shape
    if first.coding.lossless:
        assert np.array_equal(back.y, first.y)
    else:
        assert lag(first.y[0], back.y[0]) == 0
        assert snr(first.y, back.y) > 15
        assert back.coding.bitrate == pytest.approx(first.coding.bitrate, rel=0.1)


@pytest.mark.skipif(not MEDIA.exists(), reason="shared media are not here")
@pytest.mark.parametrize("path", sorted(MEDIA.glob("vid*.mp4")), ids=lambda p: p.name[:5])
def test_films_are_not_sounds(path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match="with video"):
        sound.decode(path)
