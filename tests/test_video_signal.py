"""The watermark of films: frames in, frames out; the sum of frames in, messages out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from aiglabel.errors import PayloadError
from aiglabel.key import Key
from aiglabel.signal import image, video
from aiglabel.signal.camera import Camera, laid, lapped
from aiglabel.signal.video_sheet import RIM, Sheet, carried

KEY, OTHER = Key(b"k" * 32), Key(b"o" * 32)
PAYLOAD = bytes(range(8))
SHAPE = (360, 640)
STEP = 3
Luma = NDArray[np.uint8]


def scene(count: int, *, seed: int = 0, shape: tuple[int, int] = SHAPE) -> Iterator[Luma]:
    """A textured picture of limited range that moves to the left, and a still stripe in it."""
    rng = np.random.default_rng(seed)
    small = rng.normal(size=(shape[0] // 4, shape[1] // 2)).astype(np.float32)
    wide = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2), (2 * shape[1], shape[0]))
    wide = 125 + 60 * wide / np.abs(wide).max() + rng.normal(0, 2, wide.shape)
    for number in range(count):
        frame = wide[:, STEP * number : STEP * number + shape[1]].copy()
        frame[: shape[0] // 6] = wide[: shape[0] // 6, : shape[1]]
        yield np.clip(np.rint(frame), 16, 235).astype(np.uint8)


def marked(frames: Iterator[Luma], **options: object) -> list[Luma]:
    marker = video.Marker(SHAPE, PAYLOAD, key=KEY, **options)  # type: ignore[arg-type]
    made = []
    for frame in frames:
        marker.mark(frame)
        made.append(frame)
    return made


def found(
    frames: list[Luma], *keys: Key, effort: str = "quick", rate: float = 25.0
) -> list[video.Detection]:
    viewer = video.Viewer()
    for number, frame in enumerate(frames):
        viewer.see(frame, number / rate)
    return viewer.found(keys or (KEY,), effort=effort)


@pytest.fixture(scope="module")
def film() -> list[Luma]:
    return marked(scene(40))


def test_the_payload_is_read_from_the_sum_of_frames(film):
    [seen] = found(film)
    assert seen.payload == PAYLOAD
    assert seen.p_value < 1e-9
    assert seen.spans == ((0.0, 1.6),)
    assert seen.wire_format == image.WIRE_FORMAT


def test_every_frame_is_a_picture_with_the_mark(film):
    for number in (0, 17, 39):
        assert image.detect(film[number], key=KEY, effort="quick").payload == PAYLOAD


def test_unmarked_films_and_other_keys_show_nothing(film):
    [plain] = found(list(scene(40)), effort="full")
    assert plain.payload is None
    assert not plain.present
    assert plain.spans is None
    mine, other = found(film, KEY, OTHER)
    assert mine.payload == PAYLOAD
    assert not other.present


def test_two_marks_in_one_film_are_both_found(film):
    second = video.Marker(SHAPE, PAYLOAD[::-1], key=OTHER)
    frames = [frame.copy() for frame in film]
    for frame in frames:
        second.mark(frame)
    assert [one.payload for one in found(frames, KEY, OTHER)] == [PAYLOAD, PAYLOAD[::-1]]


def test_only_luma_of_a_fine_change_and_no_flicker(film):
    changes = [frame.astype(np.int16) - cover for frame, cover in zip(film, scene(40), strict=True)]
    ratios = [10 * np.log10(255**2 / np.square(one, dtype=np.float64).mean()) for one in changes]
    assert min(ratios) > 44
    assert max(np.abs(one).max() for one in changes) <= 12
    # From frame to frame the change itself changes by a fraction of its strength, and goes along
    # with the picture.
    steps = [
        np.abs(late[:, :-STEP] - early[:, STEP:]).mean() / np.abs(early).mean()
        for early, late in itertools.pairwise(changes)
    ]
    assert max(steps) < 0.5
    assert np.mean(steps) < 0.15


def test_what_was_marked_is_measured():
    marker = video.Marker(SHAPE, PAYLOAD, key=KEY)
    for cover in itertools.repeat(next(scene(1)), 25):
        frame = cover.copy()
        marker.mark(frame)
    assert len(marker.ratios) == 2
    assert marker.ratios[-1] == pytest.approx(cv2.PSNR(cover, frame), abs=1e-6)
    assert marker.largest >= np.abs(frame.astype(int) - cover).max()


def test_a_cut_is_followed_at_once():
    dark = (np.full(SHAPE, 16, np.uint8) for _ in range(5))
    frames = [*dark, *scene(8)]
    covers = [frame.copy() for frame in frames]
    marker = video.Marker(SHAPE, PAYLOAD, key=KEY)
    for frame in frames:
        marker.mark(frame)
    assert all((frame == cover).all() for frame, cover in zip(frames[:5], covers, strict=False))
    whole, first = (np.abs(frames[at].astype(int) - covers[at]).mean() for at in (-1, 5))
    assert first > 0.8 * whole


def textured(width: int = 1200) -> Luma:
    rng = np.random.default_rng(3)
    wide = np.clip(rng.normal(125, 50, (540, width)), 16, 235)
    wide = cv2.GaussianBlur(wide, (0, 0), 1.6).astype(np.uint8)
    return cv2.convertScaleAbs(wide, alpha=2.2, beta=-150)


@pytest.mark.parametrize("shift", [0, 1, 6])
def test_what_stands_still_is_marked_finely_also_where_the_camera_moves(shift):
    wide, marker = textured(), video.Marker((540, 960), PAYLOAD, key=KEY)
    sides = []
    for number in range(40):
        marker.mark(wide[:, shift * number : shift * number + 960].copy())
        sides.append(marker._side)
    assert sides[0] > 256
    assert set(sides) == {sides[0]}


def test_what_moves_is_marked_coarsely():
    wide, marker = textured(), video.Marker((540, 960), PAYLOAD, key=KEY)
    sides = []
    for number in range(40):
        frame = wide[:, :960].copy()
        # Some of it stands still, and most goes its own ways.
        frame[:180, :320] = np.roll(frame[:180, :320], 7 * number, 0)
        frame[180:, 320:] = np.roll(frame[180:, 320:], -5 * number, 0)
        frame[180:, :320] = np.roll(frame[180:, :320], 4 * number, 1)
        marker.mark(frame)
        sides.append(marker._side)
    assert sides[0] > 256
    assert sides[-1] == 256


@pytest.mark.parametrize(("right", "down"), [(7, 0), (-6, 2), (0, -3), (40, 0)])
def test_the_mark_goes_with_the_picture(right, down):
    """A pan is a still picture to a codec; so is the mark in it, far over the first edge too."""
    rng = np.random.default_rng(8)
    count, (height, width) = 24, SHAPE
    large = rng.normal(size=(height + 23 * abs(down), width + 23 * abs(right)))
    large = cv2.GaussianBlur(large, (0, 0), 3)
    large = np.clip(125 + 50 * large / large.std(), 16, 235).astype(np.uint8)
    marker = video.Marker(SHAPE, PAYLOAD, key=KEY)
    frames, changes = [], []
    for number in range(count):
        top = -down * number if down <= 0 else down * (count - 1 - number)
        left = -right * number if right <= 0 else right * (count - 1 - number)
        frame = large[top : top + height, left : left + width].copy()
        cover = frame.astype(np.int16)
        marker.mark(frame)
        frames.append(frame)
        changes.append(frame - cover)
    for early, late in itertools.pairwise(changes):
        before, now = lapped(early, late, right, down)
        assert np.abs(now - before).mean() < 0.5 * np.abs(early).mean()
    assert found(frames)[0].payload == PAYLOAD
    # Turned over, cut to a part and thinned out, it goes the other way, and in longer steps.
    part = [np.ascontiguousarray(frame[:, ::-1][60:, 80:]) for frame in frames[::2]]
    assert found(part, effort="full")[0].payload == PAYLOAD


@pytest.mark.parametrize("level", [16, 235])
def test_black_and_white_films_stay_as_they_are(level):
    marker = video.Marker(SHAPE, PAYLOAD, key=KEY)
    for _ in range(14):
        frame = np.full(SHAPE, level, np.uint8)
        marker.mark(frame)
        assert (frame == level).all()
    assert not marker.ratios


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_frames(bits):
    most = (1 << bits) - 1
    marker = video.Marker(SHAPE, PAYLOAD, key=KEY, bits=bits, full=True)
    frames = []
    for cover in scene(12):
        deep = ((cover.astype(np.float64) - 16) / 219 * most).astype(np.uint16)
        deep[:40] = most
        frame = deep.copy()
        marker.mark(frame)
        assert frame.max() <= most
        assert (frame[:30] == most).all()
        frames.append(frame)
    assert min(marker.ratios) > 44
    assert found(frames)[0].payload == PAYLOAD


@pytest.mark.parametrize("strength", list(video.STRENGTHS))
def test_strengths(strength):
    assert found(marked(scene(20), strength=strength))[0].payload == PAYLOAD


def test_marking_is_the_same_every_time(film):
    assert all((one == two).all() for one, two in zip(film, marked(scene(40)), strict=True))


def test_frames_that_are_too_small_are_refused():
    with pytest.raises(PayloadError, match="too small"):
        video.Marker((32, 640), PAYLOAD, key=KEY)
    with pytest.raises(PayloadError):
        video.Marker(SHAPE, b"short", key=KEY)


def test_spans_tell_which_part_carries_the_mark(film):
    [seen] = found([*scene(50, seed=5), *film, *scene(50, seed=6)], rate=20.0)
    assert seen.payload == PAYLOAD
    [(begin, end)] = seen.spans
    assert begin == pytest.approx(2.5, abs=0.51)
    assert end == pytest.approx(4.5, abs=0.51)


def test_spans_tell_of_scenes_that_are_marked_in_frames_of_another_size():
    frames = []
    for side in (384, 256):
        marker = video.Marker(SHAPE, PAYLOAD, key=KEY)
        marker._sides = [side]
        for frame in scene(25, seed=side):
            marker.mark(frame)
            frames.append(frame)
    [seen] = found(frames)
    assert seen.payload == PAYLOAD
    assert seen.spans == ((0.0, 2.0),)
    [seen] = found([*frames[:25], *scene(25)])
    assert seen.spans == ((0.0, pytest.approx(1.0, abs=0.1)),)


def test_a_short_part_of_a_longer_film_is_found(film):
    frames = [*(frame for seed in range(5) for frame in scene(60, seed=seed + 10)), *film[:12]]
    [seen] = found(frames)
    assert seen.payload == PAYLOAD
    assert seen.spans[0][0] >= 11.5


@pytest.mark.parametrize(
    "attack",
    [
        lambda frame: frame[:, ::-1],
        lambda frame: frame[40:300, 80:560],
        lambda frame: cv2.resize(frame, (426, 240), interpolation=cv2.INTER_AREA),
        lambda frame: cv2.resize(frame, (640, 480)),
        lambda frame: np.pad(frame, ((60, 60), (0, 0))),
        lambda frame: cv2.warpAffine(
            frame, cv2.getRotationMatrix2D((320, 180), 2, 1), frame.shape[::-1]
        ),
        lambda frame: cv2.imdecode(
            cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_GRAYSCALE
        ),
    ],
    ids=["mirrored", "cropped", "shrunk", "stretched", "letterboxed", "turned", "compressed"],
)
def test_what_is_done_to_films(film, attack):
    frames = [np.ascontiguousarray(attack(frame)) for frame in film]
    assert found(frames, effort="full")[0].payload == PAYLOAD


def test_memory_does_not_grow_with_the_film():
    viewer = video.Viewer()
    frame = next(scene(1, shape=(48, 64)))
    for number in range(3000):
        viewer.see(frame, number / 25)
    assert viewer.frames == 3000
    assert len(viewer._pieces) <= 32
    assert viewer._pieces[-1].end == pytest.approx(120, abs=0.1)


def test_frames_of_another_size_are_left_out():
    viewer = video.Viewer()
    for number, frame in enumerate([*scene(3), next(scene(1, shape=(120, 160)))]):
        viewer.see(frame, number / 25)
    assert viewer.frames == 3


def test_nothing_seen_nothing_said():
    with pytest.raises(ValueError, match="no frame"):
        video.Viewer().found([KEY], effort="quick")


@pytest.mark.parametrize("staying", [False, True])
@pytest.mark.parametrize(("bits", "shape"), [(8, (540, 960)), (8, (1080, 1920)), (10, (360, 640))])
def test_the_camera_is_followed(bits, shape, staying):
    rng = np.random.default_rng(4)
    large = cv2.GaussianBlur(rng.normal(size=(shape[0] + 200, shape[1] + 600)), (0, 0), 4)
    large = np.clip(125 + 50 * large / large.std(), 0, 255) * (1 << (bits - 8))
    large = large.astype(np.uint8 if bits == 8 else np.uint16)
    camera = Camera(1 << (bits - 8), staying=staying)
    for number in range(60):
        left, top = 10 * number, round(60 + 60 * np.sin(number / 8))
        camera.see(large[top : top + shape[0], left : left + shape[1]])
        assert camera.cut == (number == 0)
        right, down = camera.place
        assert right == pytest.approx(-left, abs=0.5)
        assert down == pytest.approx(60 - top, abs=0.5)
    camera.see(large[::-1, ::-1][: shape[0], : shape[1]])
    assert camera.cut
    assert camera.place == (0, 0)


def test_the_place_is_kept_while_most_of_the_picture_stays_as_it_is():
    rng = np.random.default_rng(7)
    wide = cv2.GaussianBlur(rng.normal(125, 200, (360, 1000)), (0, 0), 4)
    wide = np.clip(wide, 0, 255).astype(np.uint8)
    staying, following = Camera(staying=True), Camera()
    places = []
    for number in range(70):
        left = 5 * number
        frame = wide[:, left : left + 640].copy()
        if number < 35:
            frame[:, 240:] = 128 + number  # smooth, and becoming brighter
        for camera in (staying, following):
            camera.see(frame)
        places.append((staying.place[0], following.place[0]))
    assert places[34] == (0, pytest.approx(-5 * 34, abs=2))
    assert places[69][0] - places[40][0] == pytest.approx(-5 * 29, abs=2)
    staying.see(wide[::-1, :640])
    assert staying.cut


def test_a_camera_that_sets_out_and_stops_is_found_out_soon():
    rng = np.random.default_rng(7)
    wide = cv2.GaussianBlur(rng.normal(125, 200, (360, 1000)), (0, 0), 4)
    wide = np.clip(wide, 0, 255).astype(np.uint8)
    camera, places = Camera(staying=True), []
    for number in range(60):
        left = 5 * min(max(number - 20, 0), 20)  # it stands, moves and stops again
        camera.see(wide[:, left : left + 640])
        places.append(camera.place[0])
    assert places[20] == 0
    late = 5 * 20 + places[40]
    assert 0 <= round(late, 3) <= 5 * 6
    assert places[40] - places[28] == pytest.approx(-5 * 12, abs=0.5)
    assert places[59] == pytest.approx(places[40], abs=0.5)


def closer(count: int, each: float, *, shape: tuple[int, int] = SHAPE) -> Iterator[Luma]:
    """A textured picture that grows by `each` with every frame, around a point off the middle."""
    rng = np.random.default_rng(11)
    large = rng.normal(size=(shape[0] * 2, shape[1] * 2)).astype(np.float32)
    large = cv2.GaussianBlur(large, (0, 0), 3) + cv2.GaussianBlur(large, (0, 0), 12) * 3
    large = np.clip(125 + 45 * large / large.std(), 20, 235)
    middle = np.array([shape[1] * 0.9, shape[0] * 1.1])
    for number in range(count):
        zoom = each**number
        origin = middle - np.multiply(0.45, shape[::-1]) / zoom
        matrix = np.array([[1 / zoom, 0, origin[0]], [0, 1 / zoom, origin[1]]])
        frame = cv2.warpAffine(
            large, matrix, shape[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        )
        yield np.clip(np.rint(frame), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("shape", "each"),
    [(SHAPE, 1.001), (SHAPE, 1.004), (SHAPE, 0.997), ((1080, 1920), 1.002)],
)
def test_a_camera_that_comes_closer_is_followed(shape, each):
    cameras = Camera(), Camera(staying=True)
    # What does not move is 0.45 of the frame from its corner: 0.05 from the middle.
    still = -0.05 * np.array(shape[::-1])
    for number, y in enumerate(closer(30, each, shape=shape)):
        zoom = each**number
        for camera in cameras:
            camera.see(y)
            assert camera.zoom == pytest.approx(zoom, abs=1 / shape[1])
            assert camera.place == pytest.approx(tuple((1 - zoom) * still), abs=0.5)
    for camera in cameras:
        camera.restart()
        assert (camera.place, camera.zoom) == ((0, 0), 1)
        camera.see(np.zeros(shape, np.uint8))
        assert camera.cut


def test_nothing_grows_where_the_camera_only_moves():
    rng = np.random.default_rng(3)
    wide = cv2.GaussianBlur(rng.normal(125, 200, (500, 1400)), (0, 0), 3)
    camera = Camera()
    for number in range(60):
        left, top = 7 * number, round(50 + 40 * np.sin(number / 5))
        y = wide[top : top + 360, left : left + 640] + rng.normal(0, 4, (360, 640))
        camera.see(np.clip(y, 0, 255).astype(np.uint8))
        assert camera.zoom == 1


def test_the_mark_lags_less_than_a_pixel_and_does_not_shake_with_the_picture(monkeypatch):
    marker = video.Marker(SHAPE, PAYLOAD, key=KEY)
    [y] = scene(1)
    marker.mark(y.copy())
    for place, moved in ((0.6, 0), (-0.6, 0), (0.8, 1), (0.3, 1), (0.2, 0), (-7.3, -7), (-6.4, -7)):
        monkeypatch.setattr(Camera, "place", (place, 0.0))
        marker._go_along()
        assert marker._moved == (moved, 0)


@pytest.mark.parametrize(("bits", "each"), [(8, 1.003), (8, 0.997), (10, 1.01)])
def test_the_mark_grows_with_the_picture(bits, each):
    """And is read from all frames together, and, of another size, from some or one of them."""
    covers, level = list(closer(40, each)), 1 << (bits - 8)
    marker = video.Marker(SHAPE, PAYLOAD, key=KEY, bits=bits)
    frames = []
    for cover in covers:
        y = cover.copy() if bits == 8 else cover.astype(np.uint16) * level
        marker.mark(y)
        frames.append(y)
    assert found(frames)[0].payload == PAYLOAD
    for some in (frames[-1:], frames[20:21], frames[-12:]):
        assert found(some, effort="full")[0].payload == PAYLOAD
    assert min(marker.ratios) > 44
    # What is added at first, grown, is what is added later.
    early, late = ((frames[at] / level - covers[at]).astype(np.float32) for at in (12, 20))
    grown = each**8
    place = np.multiply(-0.05, SHAPE[::-1]) * (1 - grown)
    seen = laid(late, place, grown)
    inside = np.s_[40:-40, 40:-40]
    correlation = np.corrcoef(early[inside].ravel(), seen[inside].ravel())[0, 1]
    assert correlation > 0.6


def test_a_picture_that_grows_for_long_is_marked_anew():
    marker = video.Marker(SHAPE, PAYLOAD, key=KEY)
    zooms = []
    for y in closer(60, 1.01):
        marker.mark(y)
        zooms.append(marker._camera.zoom)
    assert max(zooms) < 1.26
    assert zooms[-1] < 1.5 < 1.01**59


def test_what_is_added_to_a_picture_that_shrinks_fast_still_covers_it():
    rng = np.random.default_rng(6)
    sheet, y = Sheet(SHAPE, bits=8, unit=1.0), np.full(SHAPE, 120, np.uint8)
    sheet.draw(rng.normal(0, 2, (144 + 2 * RIM, 256 + 2 * RIM)).astype(np.float32))
    for zoom in (1.0, 0.9, 0.5, 0.1, 1.3, 1.0):
        for moved in ((0, 0), (400, -300)):
            made = y.copy()
            assert sheet.add(made, moved, zoom)
            assert (made != y).mean() > 0.2


def test_what_was_drawn_is_brought_to_another_size():
    plane = np.zeros((80, 120), np.float32)
    plane[39:41, 59:61] = 1  # in the middle
    made = carried(plane, (100, 140), 1.5, 10, -5)
    rows, columns = np.indices(made.shape)
    assert made.shape == (100, 140)
    assert (made * columns).sum() / made.sum() == pytest.approx(69.5 + 10, abs=0.1)
    assert (made * rows).sum() / made.sum() == pytest.approx(49.5 - 5, abs=0.1)
    assert carried(plane, plane.shape, 1.0, 0.0, 0.0) is plane


def test_a_plane_that_has_grown_is_laid_over_the_one_before():
    rng = np.random.default_rng(2)
    plane = cv2.GaussianBlur(rng.normal(size=(90, 160)).astype(np.float32), (0, 0), 4)
    middle = np.array([79.5, 44.5])
    origin = middle * (1 - 1.1) + (3, -2)
    matrix = np.array([[1.1, 0, origin[0]], [0, 1.1, origin[1]]])
    grown = cv2.warpAffine(plane, matrix, (160, 90), flags=cv2.INTER_CUBIC)
    back = laid(grown, (3, -2), 1.1)
    inside = np.s_[15:-15, 15:-15]
    assert np.abs(back - plane)[inside].max() < 0.05 * np.abs(plane).max()


def test_what_is_added_is_enlarged_once_where_the_picture_goes_on_moving(monkeypatch):
    rng = np.random.default_rng(6)
    calls, enlarge = [], Sheet._enlarge
    monkeypatch.setattr(Sheet, "_enlarge", lambda *given: calls.append(1) or enlarge(*given))
    sheet, y = Sheet(SHAPE, bits=8, unit=1.0), np.full(SHAPE, 120, np.uint8)
    for draw in range(4):
        wide = (144 + 2 * RIM, 256 + 2 * RIM)
        sheet.draw(rng.normal(0, 2, wide).astype(np.float32))
        for moved in range(0, 40, 8):  # as after a look, from which places are counted
            assert sheet.add(y.copy(), (moved, 0))
        assert len(calls) == 2 + draw  # the first drawing cannot know


def test_what_is_added_to_a_shaky_picture_is_enlarged_no_more_than_needed(monkeypatch):
    rng = np.random.default_rng(6)
    calls, enlarge = [], Sheet._enlarge
    monkeypatch.setattr(Sheet, "_enlarge", lambda *given: calls.append(1) or enlarge(*given))
    sheet, y = Sheet(SHAPE, bits=8, unit=1.0), np.full(SHAPE, 120, np.uint8)
    sheet.draw(rng.normal(0, 2, (144 + 2 * RIM, 256 + 2 * RIM)).astype(np.float32))
    for _ in range(5):
        for moved in ((0, 0), (5, 0), (0, 0), (0, 5)):
            assert sheet.add(y.copy(), moved)
    assert len(calls) == 3


def test_no_camera_moves_where_nothing_goes_on():
    rng = np.random.default_rng(5)
    camera = Camera()
    for level in range(100, 130):
        camera.see(np.full(SHAPE, level, np.uint8))
        camera.see(np.clip(rng.normal(level, 8, SHAPE), 0, 255).astype(np.uint8))
        assert camera.place == (0, 0)


def test_a_picture_that_stands_still_again_is_where_it_was_seen():
    """Frames repeated after a pan; none of them shows the camera any further."""
    rng = np.random.default_rng(9)
    wide = cv2.GaussianBlur(rng.normal(125, 200, (360, 1000)), (0, 0), 4)
    wide = np.clip(wide, 0, 255).astype(np.uint8)
    for last in range(12, 20):
        camera = Camera()
        for number in range(30):
            left = 6 * min(number, last)
            camera.see(wide[:, left : left + 640])
        assert camera.place == (pytest.approx(-6 * last, abs=0.5), pytest.approx(0, abs=0.5))


@pytest.mark.parametrize("shape", [(1, 2), (16, 20_000), (3000, 1), (40, 40)])
def test_cameras_of_any_shape(shape):
    rng, camera = np.random.default_rng(6), Camera()
    for _ in range(3):
        camera.see(rng.integers(0, 256, shape, np.uint8))
    assert all(np.isfinite(camera.place))


def test_views_of_what_two_planes_both_show():
    plane = np.arange(30).reshape(5, 6)
    before, now = lapped(plane, plane, 2, -1)
    assert before.tolist() == plane[1:, :4].tolist()
    assert now.tolist() == plane[:4, 2:].tolist()
    assert lapped(plane, plane, 9, 0)[0].size == 0
