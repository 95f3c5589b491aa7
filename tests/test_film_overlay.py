"""The visible label of films: burnt into stored samples, as high as displayed, and read again."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from aiglabel.containers.sniff import VideoFormat
from aiglabel.evidence import Status
from aiglabel.marks import overlay
from aiglabel.marks.overlay import Caption, OverlayStyle, Position, Watcher, When, holds_film
from aiglabel.marks.overlay.grid import averaged, turned_back
from aiglabel.media import ffmpeg, video
from aiglabel.media.video_coding import Colour, Frame, PixelFormat, VideoCoding, VideoTarget
from aiglabel.media.video_display import display_size, displayed, displayed_luma, luma_range, tone

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"
FORMATS = (
    "yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuv440p", "yuv410p", "gray", "yuv420p9le",
    "yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv420p14le", "gray10le", "yuv444p16le",
)  # fmt: skip
RATE = 25
PQ = Colour(range="tv", space="bt2020nc", primaries="bt2020", transfer="smpte2084")
HLG = replace(PQ, transfer="arib-std-b67")


def coding(
    width: int = 384,
    height: int = 288,
    pixels: str = "yuv420p",
    *,
    aspect: Fraction | None = None,
    rotation: float = 0.0,
    colour: Colour | None = None,
    seconds: float | None = 4.0,
) -> VideoCoding:
    named = PixelFormat.named(pixels)
    assert named
    return VideoCoding(
        VideoFormat.MKV, "ffv1", None, width, height, named, Fraction(1, 1000), aspect, rotation,
        Fraction(RATE), colour=colour or Colour(), seconds=seconds,
    )  # fmt: skip


def empty(film: VideoCoding, level: float = 0.0, number: int = 0) -> Frame:
    """A frame of one grey level, 0 to 1."""
    low, high = luma_range(film)
    values = [round(low + level * (high - low)), 2 ** (film.bits - 1), 2 ** (film.bits - 1)]
    shapes = film.pixel_format.shapes(film.width, film.height)
    kind = np.uint8 if film.bits == 8 else np.uint16
    planes = (np.full(s, v, kind) for s, v in zip(shapes, values, strict=False))
    return Frame(number, number / RATE, tuple(planes))


def scene(film: VideoCoding, number: int = 0, seed: int = 0) -> Frame:
    """A frame of soft colours and some noise that moves to the left."""
    frame = empty(film, number=number)
    for channel, plane in enumerate(frame.planes):
        wide = panorama(plane.shape, film.bits, seed + channel)
        at = 3 * number % plane.shape[1]
        plane[:] = wide[:, at : at + plane.shape[1]]
    return frame


@lru_cache(maxsize=64)
def panorama(shape: tuple[int, int], bits: int, seed: int) -> np.ndarray:
    """A picture twice as wide as the film."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((9, 24)).astype(np.float32)
    soft = cv2.resize(coarse, (2 * shape[1], shape[0])) + 0.07 * rng.random((shape[0], 1))
    soft += 0.06 * rng.random(soft.shape)
    return ((0.04 + 0.8 * soft) * (2**bits - 1)).astype(np.uint16)


def film_of(film: VideoCoding, count: int = 75) -> Iterator[Frame]:
    return (scene(film, number) for number in range(count))


def labelled(film: VideoCoding, style: OverlayStyle, when: When, count: int = 75) -> list[Frame]:
    frames = list(film_of(film, count))
    caption = Caption(film, style, when)
    for frame in frames:
        caption.burn(frame)
    return frames


def watched(film: VideoCoding, frames: Iterator[Frame] | list[Frame], **options: object):
    watcher = Watcher(film, **options)
    for frame in frames:
        watcher.see(frame)
    return watcher.evidence()


def copied(frame: Frame) -> list[np.ndarray]:
    return [plane.copy() for plane in frame.planes]


# ---------------------------------------------------------------- what a player shows


@pytest.mark.parametrize(
    ("aspect", "rotation", "size"),
    [
        (None, 0, (720, 576)), (Fraction(64, 45), 0, (1024, 576)),
        (Fraction(64, 45), 90, (576, 1024)), (Fraction(8, 9), 180, (640, 576)),
        (Fraction(1), 270, (576, 720)), (Fraction(1), 89.9, (576, 720)),
        (Fraction(999_999_999), 0, (720, 576)), (Fraction(1, 900), 0, (720, 576)),
    ],
)  # fmt: skip
def test_display_size(aspect: Fraction | None, rotation: float, size: tuple[int, int]) -> None:
    film = coding(720, 576, aspect=aspect, rotation=rotation)
    assert display_size(film) == size
    assert displayed(scene(film), film).shape == (size[1], size[0], 3)


def test_a_film_is_turned_clockwise() -> None:
    film = coding(64, 48, rotation=90)
    frame = empty(film)
    frame.y[:10, :10] = 235  # top left becomes top right
    shown = displayed(frame, film)
    assert shown[2, -3].min() == 255
    assert shown[2, 2].max() == shown[-3, -3].max() == 0


@pytest.mark.parametrize("pixels", FORMATS)
@pytest.mark.parametrize("sides", ["tv", "pc"])
def test_levels(pixels: str, sides: str) -> None:
    film = coding(33, 27, pixels, colour=Colour(range=sides))
    for level, wanted in ((0, 0), (0.5, 128), (1, 255)):
        frame = empty(film, level)
        assert abs(displayed(frame, film).astype(int) - wanted).max() <= 1
        np.testing.assert_allclose(displayed_luma(frame, film, 99), level, atol=0.003)


@pytest.mark.parametrize(
    ("size", "space", "yuv"),
    [
        ((64, 48), "bt709", (63, 102, 240)), ((64, 48), "smpte170m", (81, 90, 240)),
        ((64, 48), "bt2020nc", (74, 97, 240)), ((64, 48), None, (81, 90, 240)),
        ((1280, 544), None, (63, 102, 240)), ((608, 1080), None, (63, 102, 240)),
        ((64, 48), "gbr", (81, 90, 240)),
    ],
)  # fmt: skip
def test_red_is_red(size: tuple[int, int], space: str | None, yuv: tuple[int, int, int]) -> None:
    film = coding(*size, colour=Colour(space=space))
    frame = empty(film)
    for plane, value in zip(frame.planes, yuv, strict=True):
        plane[:] = value
    assert abs(displayed(frame, film)[5, 5].astype(int) - [255, 0, 0]).max() <= 2


def test_reference_white_of_hdr_is_nearly_white() -> None:
    for colour, signal in ((PQ, 0.58), (HLG, 0.75)):
        film = coding(colour=colour, pixels="yuv420p10le")
        assert 235 <= displayed(empty(film, signal), film).min() <= 250
        assert displayed(empty(film, 1.0), film).min() >= 250
        assert displayed(empty(film, 0.0), film).max() == 0
        ramp = tone(np.linspace(0, 1, 999, dtype=np.float32), str(colour.transfer))
        assert (np.diff(ramp) >= 0).all()
        assert ramp[-1] <= 1


def test_reduced_luma_is_the_frame_made_small() -> None:
    film = coding(1281, 723, aspect=Fraction(4, 3), rotation=90)
    frame = scene(film)
    small = displayed_luma(frame, film, 180)
    assert small.shape == (427, 180)
    low, high = luma_range(film)
    shown = cv2.resize(frame.y, (427, 180), interpolation=cv2.INTER_AREA).astype(float)
    wanted = (np.rot90(shown, -1) - low) / (high - low)
    assert np.abs(small - wanted).mean() < 0.01


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (20_000, 16), (3, 3)])
@pytest.mark.parametrize("aspect", [None, Fraction(4), Fraction(1, 4)])
def test_odd_shapes(size: tuple[int, int], aspect: Fraction | None) -> None:
    for rotation in (0, 90):
        film = coding(*size, aspect=aspect, rotation=rotation)
        frame = empty(film, 0.5)
        caption = Caption(film, OverlayStyle(), When())
        caption.burn(frame)
        evidence = watched(film, [frame])
        assert caption.outcome().written == (size[1] == 16)
        if size[1] == 16 and aspect is None:
            assert evidence.status is Status.PRESENT
            assert holds_film(caption, [frame], film)


# ---------------------------------------------------------------- masks


@pytest.mark.parametrize("pitch", [(1, 1), (2, 2), (4, 1), (1.422, 2), (0.889, 0.5)])
def test_averaging_keeps_the_area(pitch: tuple[float, float]) -> None:
    mask = np.random.default_rng(1).random((17, 40))
    box = (5, 3, 45, 20)
    cells, cover = averaged(mask, box, pitch)
    assert cover.shape == (cells[3] - cells[1], cells[2] - cells[0])
    assert cover.sum() * pitch[0] * pitch[1] == pytest.approx(mask.sum(), rel=1e-5)
    assert cells[0] * pitch[0] <= 5 < (cells[0] + 1) * pitch[0]
    assert cover.min() >= 0
    assert cover.max() <= 1 + 1e-6
    if pitch == (1, 1):
        np.testing.assert_allclose(cover, mask, atol=1e-6)


@pytest.mark.parametrize("turns", range(4))
def test_turning_back(turns: int) -> None:
    stored = np.arange(20 * 30).reshape(20, 30)
    shown = np.rot90(stored, -turns)
    x0, y0, x1, y1 = box = (3, 5, 9, 7)
    mask, (a, b, c, d) = turned_back(
        shown[y0:y1, x0:x1], box, (shown.shape[1], shown.shape[0]), turns
    )
    np.testing.assert_array_equal(mask, stored[b:d, a:c])


# ---------------------------------------------------------------- burning


@pytest.mark.parametrize("pixels", FORMATS)
@pytest.mark.parametrize("sides", ["tv", "pc"])
def test_only_the_box_changes(pixels: str, sides: str) -> None:
    film = coding(385, 289, pixels, colour=Colour(range=sides))
    frame = scene(film)
    before = copied(frame)
    caption = Caption(film, OverlayStyle(style="pill", position=Position.TOP_LEFT), When())
    caption.burn(frame)
    outcome = caption.outcome()
    x0, y0, x1, y1 = outcome.facts["box"]
    low, high = luma_range(film)
    box = frame.y[y0:y1, x0:x1]
    assert (box != before[0][y0:y1, x0:x1]).mean() > 0.9
    assert (box >= high - 1).mean() > 0.05  # pure white letters …
    assert box.max() <= max(high, before[0].max())
    assert box.min() >= low or before[0].min() < low  # … and nothing wraps around
    for number, (now, was) in enumerate(zip(frame.planes, before, strict=True)):
        across, down = film.pixel_format.shift or (0, 0) if number else (0, 0)
        inside = np.zeros(now.shape, bool)
        inside[y0 >> down : -(-y1 >> down), x0 >> across : -(-x1 >> across)] = True
        np.testing.assert_array_equal(now[~inside], was[~inside])
    for plane in frame.chroma:  # neutral under the letters
        across, down = film.pixel_format.shift or (0, 0)
        middle = plane[((y0 + y1) // 2) >> down, (x0 >> across) + 2 : (x1 >> across) - 2]
        off = np.abs(middle.astype(float) - 2 ** (film.bits - 1)) / 2**film.bits
        assert off.max() <= 0.12


def test_the_same_as_on_a_picture() -> None:
    film = coding(640, 360, "yuv444p16le", colour=Colour(range="pc", space="bt709"))
    frame = scene(film)
    for plane in frame.chroma:  # colours that RGB holds
        plane[:] = 32768 + (plane.astype(int) - 32768) // 8
    style = OverlayStyle(text="AI GENERATED")
    wanted = overlay.draw(displayed(frame, film), None, style).frame
    Caption(film, style, When()).burn(frame)
    assert np.abs(displayed(frame, film).astype(int) - wanted).max() <= 3


@pytest.mark.parametrize(
    ("colour", "share"), [(PQ, 0.58), (HLG, 0.75), (Colour(range="pc"), 1.0), (Colour(), 1.0)]
)
def test_white_is_reference_white(colour: Colour, share: float) -> None:
    film = coding(pixels="yuv420p10le", colour=colour)
    frame = empty(film)
    Caption(film, OverlayStyle(), When()).burn(frame)
    low, high = luma_range(film)
    assert abs(frame.y.max() - (low + share * (high - low))) <= 1


GEOMETRIES = [
    (720, 576, Fraction(64, 45), 0), (720, 576, Fraction(64, 45), 90),
    (720, 576, Fraction(16, 15), 270), (704, 480, Fraction(10, 11), 0),
    (1440, 1080, Fraction(4, 3), 0), (641, 361, None, 180), (1080, 1920, None, 90),
    (320, 240, Fraction(2), 90), (720, 480, Fraction(8, 9), 90),
]  # fmt: skip


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("position", [Position.BOTTOM_RIGHT, Position.TOP])
def test_letters_are_high_enough_as_displayed(
    geometry: tuple[int, int, Fraction | None, float], position: Position
) -> None:
    width, height, aspect, rotation = geometry
    film = coding(width, height, aspect=aspect, rotation=rotation)
    frame = empty(film)
    caption = Caption(film, OverlayStyle(position=position), When())
    caption.burn(frame)
    layout = caption.layout
    assert layout
    shown = displayed(frame, film)[..., 0]
    least = math.ceil(0.05 * min(display_size(film)))
    x, y, *_ = layout.text_box
    for x0, y0, x1, y1 in layout.block.letters:
        letter = shown[y + y0 - 2 : y + y1 + 2, x + x0 : x + x1] >= 128
        assert np.count_nonzero(letter.any(axis=1)) >= least
    found = overlay.find(displayed(frame, film))
    assert (found.status, found.where) == (Status.PRESENT, str(position))
    assert found.facts["ink_height"] == caption.outcome().facts["ink_height"] >= least


def test_the_outcome() -> None:
    film = coding()
    style = OverlayStyle(text="AI生成 AI GENERATED", position="top-right")
    caption = Caption(film, style, When(seconds=2, at=((2.6, 2.8),)))
    for frame in film_of(film):
        caption.burn(frame)
    outcome = caption.outcome()
    assert outcome.written
    assert outcome.mark == "overlay"
    assert outcome.facts["spans"] == [[0.0, 2.0], [2.6, 2.8]]
    assert outcome.facts["frames"] == 55
    assert outcome.facts["ink_height"] == 15
    assert outcome.facts["height_ratio"] == round(15 / 288, 4)
    assert outcome.facts["contrast"] >= 4.5
    assert outcome.facts["elements"] == {"ai": True, "generation": True}
    assert "0 to 2 s, 2.6 to 2.8 s" in outcome.detail


def test_times_count_from_the_first_frame_and_to_the_end() -> None:
    film = coding(seconds=4.0)
    caption = Caption(film, OverlayStyle(), When(seconds=2, end=True))
    before, changed = None, []
    for number in range(100):
        frame = empty(film, 0.5, number)
        frame = replace(frame, time=frame.time + 7.3)
        before = frame.y.copy()
        caption.burn(frame)
        changed.append(not np.array_equal(before, frame.y))
    assert changed == [True] * 100
    assert caption.outcome().facts["spans"] == [[0.0, 4.0]]


def test_a_film_too_small_for_the_label_stays_as_it_is() -> None:
    film = coding(20, 12)
    caption = Caption(film, OverlayStyle(), When())
    frame = scene(film)
    before = copied(frame)
    caption.burn(frame)
    for now, was in zip(frame.planes, before, strict=True):
        np.testing.assert_array_equal(now, was)
    outcome = caption.outcome()
    assert not outcome.written
    assert "does not fit" in outcome.detail
    assert not holds_film(caption, [frame], film)


def test_the_end_of_a_film_that_does_not_tell_its_length() -> None:
    film = coding(seconds=None)
    caption = Caption(film, OverlayStyle(), When(end=True))
    caption.burn(scene(film))
    assert "not at the end" in caption.outcome().detail


def test_no_frames_no_label() -> None:
    caption = Caption(coding(), OverlayStyle(), When())
    assert not caption.outcome().written
    assert not holds_film(caption, [], coding())


# ---------------------------------------------------------------- reading back


def test_holds_tells_a_lost_frame() -> None:
    film = coding()
    when = When(seconds=2)
    caption = Caption(film, OverlayStyle(), when)
    frames = list(film_of(film))
    for frame in frames:
        caption.burn(frame)
    assert holds_film(caption, frames, film)
    assert holds_film(caption, frames[:20], film)
    for lost in (0, 30, 49):
        without = [*frames[:lost], scene(film, lost), *frames[lost + 1 :]]
        assert not holds_film(caption, without, film)
    after = [*frames[:51], *(scene(film, number) for number in range(51, 75))]
    assert holds_film(caption, after, film)


def test_avi_may_move_a_label_by_a_frame() -> None:
    film = coding()
    caption = Caption(film, OverlayStyle(), When(seconds=2))
    frames = list(film_of(film))
    for frame in frames:
        caption.burn(frame)
    moved = [frames[0], *(replace(frame, time=frame.time - 0.04) for frame in frames[2:])]
    assert not holds_film(caption, moved, film)
    assert holds_film(caption, moved, replace(film, container=VideoFormat.AVI))


def test_a_labelled_film() -> None:
    film = coding(640, 360)
    frames = labelled(film, OverlayStyle(), When(seconds=2))
    evidence = watched(film, frames)
    assert evidence.status is Status.PRESENT
    assert evidence.payload == "AI生成"
    facts = evidence.facts
    assert facts["first_frame"]
    assert (facts["shown_s"], facts["watched_s"]) == (2.0, 3.0)
    assert facts["spans"] == [[0.0, 2.0]]
    assert facts["on_edge"]
    assert facts["ink_height"] == 18
    assert "from the first frame for 2 s" in evidence.detail


@pytest.mark.parametrize("text", ["AI合成", "AI GENERATED", "疑似AI生成", "AI生成 AI GENERATED"])
@pytest.mark.parametrize("position", [Position.TOP_LEFT, Position.BOTTOM])
def test_labels_of_others(text: str, position: Position) -> None:
    """Made at another size and scaled, in another place, with another wording."""
    large, film = coding(960, 540), coding(704, 396)
    frames = []
    for frame in labelled(large, OverlayStyle(text=text, position=position, style="pill"), When()):
        shapes = film.pixel_format.shapes(film.width, film.height)
        planes = (
            cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_AREA)
            for plane, shape in zip(frame.planes, shapes, strict=True)
        )
        frames.append(Frame(frame.number, frame.time, tuple(planes)))
    evidence = watched(film, frames)
    assert (evidence.status, evidence.payload) == (Status.PRESENT, text)
    assert evidence.facts["first_frame"]
    assert evidence.facts["shown_s"] == evidence.facts["watched_s"] == 3.0


def test_a_house_style_is_known_when_told() -> None:
    film = coding(640, 360)
    style = OverlayStyle(text="由AI辅助生成", height_ratio=0.08)
    frames = labelled(film, style, When())
    assert watched(film, frames, style=style).payload == style.text
    assert watched(film, frames).payload != style.text


def test_nothing_there() -> None:
    film = coding(640, 360)
    evidence = watched(film, film_of(film))
    assert evidence.status is Status.ABSENT
    assert evidence.facts == {
        "first_frame": False, "shown_s": 0.0, "watched_s": 3.0, "spans": [],
    }  # fmt: skip
    assert Watcher(film).evidence().status is Status.NOT_CHECKED


def blended(film: VideoCoding, opacity: Callable[[float], float]) -> list[Frame]:
    """A label whose opacity changes with time."""
    frames = labelled(film, OverlayStyle(), When(whole=True))
    for frame, plain in zip(frames, film_of(film), strict=True):
        share = min(max(opacity(frame.time), 0.0), 1.0)
        for now, was in zip(frame.planes, plain.planes, strict=True):
            now[:] = np.rint(was + share * (now.astype(float) - was)).astype(now.dtype)
    return frames


def test_a_label_that_fades_in_is_not_on_the_first_frame() -> None:
    film = coding(640, 360)
    evidence = watched(film, blended(film, lambda time: time / 0.5))
    assert evidence.status is Status.PRESENT
    assert not evidence.facts["first_frame"]
    assert evidence.facts["shown_s"] == 0.0
    ((start, stop),) = evidence.facts["spans"]
    assert 0.1 <= start <= 0.4
    assert stop == 3.0
    assert "not on the first frame" in evidence.detail


def test_a_label_that_comes_late() -> None:
    film = coding(640, 360)
    evidence = watched(film, blended(film, lambda time: float(time >= 0.12)))
    assert not evidence.facts["first_frame"]
    assert evidence.facts["spans"] == [[0.12, 3.0]]


def test_a_label_that_fades_out_or_blinks() -> None:
    film = coding(640, 360)
    evidence = watched(film, blended(film, lambda time: (2 - time) / 0.4))
    assert evidence.facts["first_frame"]
    assert 1.7 <= evidence.facts["shown_s"] <= 2.0
    evidence = watched(film, blended(film, lambda time: float(not 1 <= time < 1.04)))
    assert evidence.facts["shown_s"] == 1.0
    assert evidence.facts["spans"] == [[0.0, 1.0], [1.04, 3.0]]


def test_samples_further_on() -> None:
    film = coding(640, 360, seconds=None)
    caption = Caption(film, OverlayStyle(), When(seconds=2, at=((20, 31),)))
    watcher = Watcher(film)
    for number in [*range(60), *range(100, 1000, 50)]:
        frame = scene(film, number)
        caption.burn(frame)
        watcher.see(frame)
    facts = watcher.evidence().facts
    assert (facts["shown_s"], facts["watched_s"]) == (2.0, 2.4)
    assert facts["spans"] == [[0.0, 2.0], [20.0, 30.04]]


def test_a_second_reading_starts_to_count_anew() -> None:
    film = coding(640, 360)
    watcher = Watcher(film)
    for number in range(30):
        watcher.see(scene(film, number))
    for number in range(30):
        watcher.see(replace(scene(film, number), time=1.2 + number))
    assert watcher.evidence().facts["watched_s"] == 1.2


# ---------------------------------------------------------------- through encoders


def program(*arguments: object) -> None:
    command = [ffmpeg.ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def there_and_back(src: Path, dst: Path, target: VideoTarget, style: OverlayStyle):
    before = video.probe(src)
    caption = Caption(before, style, When(seconds=2))
    video.transcode(src, dst, caption.burn, target=target)
    after = video.probe(dst)
    assert caption.outcome().written
    assert holds_film(caption, video.frames(dst, seconds=2.5), after)
    evidence = watched(after, video.frames(dst, seconds=3.0))
    assert (evidence.status, evidence.payload) == (Status.PRESENT, style.text)
    assert evidence.facts["first_frame"]
    return caption, evidence


CODED = [
    ("mp4", "libx264 -preset ultrafast -crf 20", "scale=480:270", 35),
    ("mp4", "libx264 -preset ultrafast -crf 20 -pix_fmt yuv420p10le", "scale=480:270", 28),
    ("mkv", "libx264 -preset ultrafast -crf 20", "scale=360:288,setsar=64/45", 28),
    ("webm", "libvpx-vp9 -deadline realtime -cpu-used 8 -crf 30 -b:v 0", "scale=481:271", 40),
    ("avi", "mjpeg -q:v 3 -pix_fmt yuvj422p", "scale=480:270", None),
]


@pytest.mark.parametrize(("suffix", "coder", "filters", "quality"), CODED)
@pytest.mark.parametrize("turn", [0, 90])
def test_through_encoders(
    tmp_path: Path, suffix: str, coder: str, filters: str, quality: float | None, turn: int
) -> None:
    if turn and suffix not in ("mp4", "mkv"):
        pytest.skip("the container cannot turn films")
    src = tmp_path / f"a.{suffix}"
    program(
        "-f", "lavfi", "-i", "testsrc2=size=480x270:rate=15", "-frames:v", 40, "-vf",
        f"hue=s=0.6,{filters}", *(() if "pix_fmt" in coder else ("-pix_fmt", "yuv420p")),
        "-c:v", *coder.split(), src,
    )  # fmt: skip
    if turn:
        turned = tmp_path / f"b.{suffix}"
        program("-display_rotation:v:0", turn, "-i", src, "-c", "copy", turned)
        src = turned
    target = VideoTarget(quality=quality, preset="ultrafast" if "x264" in coder else None)
    _, evidence = there_and_back(src, tmp_path / f"c.{suffix}", target, OverlayStyle())
    assert evidence.facts["shown_s"] == pytest.approx(2.0, abs=0.002)
    assert evidence.facts["on_edge"]


@pytest.mark.parametrize("path", sorted(MEDIA.glob("vid*")), ids=lambda path: path.stem[:5])
def test_real_films(tmp_path: Path, path: Path) -> None:
    target = VideoTarget(preset="ultrafast", quality=35)
    caption, evidence = there_and_back(path, tmp_path / f"a{path.suffix}", target, OverlayStyle())
    facts = caption.outcome().facts
    assert abs(evidence.facts["shown_s"] - facts["spans"][0][1]) < 0.01
    assert evidence.facts["ink_height"] == facts["ink_height"]
    assert evidence.facts["contrast"] > 7
    assert watched(video.probe(path), video.frames(path, seconds=2.5)).status is Status.ABSENT
