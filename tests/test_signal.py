"""The picture watermark as its callers see it: round trips, robustness, answers, statistics."""

from __future__ import annotations

import concurrent.futures
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from attacked import ATTACKS, KEY, PAYLOAD, drawn, geometry, marked, photo, signal
from dwt1_writer import mark as mark_dwt1

from aiglabel.errors import PayloadError
from aiglabel.key import Key
from aiglabel.signal import budget, detector, dwt1, image, presence, quality, view

OTHERS = [Key(hashlib.sha256(bytes([number])).digest()) for number in range(25)]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often each of the dear steps is taken."""
    counts: dict[str, int] = {}

    def counted(room: Any, name: str) -> None:
        function = getattr(room, name)
        counts[name] = 0

        def counting(*arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(room, name, counting)

    counted(view, "octaves")
    counted(detector.sync, "registered")
    counted(detector.frame, "to_frame")
    counted(dwt1, "whiten")
    return counts


# --- every kind of picture ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((300, 400, 3), np.uint8), ((300, 400), np.uint8), ((300, 400, 1), np.uint8),
        ((300, 400, 4), np.uint8), ((300, 400, 3), np.uint16), ((300, 400), np.uint16),
        ((300, 400, 4), np.uint16), ((300, 400, 3), np.float32), ((300, 400, 3), np.float64),
        ((300, 400, 4), np.float32), ((64, 64, 3), np.uint8), ((48, 400, 3), np.uint8),
        ((97, 1031, 3), np.uint8), ((1031, 97, 3), np.uint8), ((1, 1), np.uint8),
    ],
)  # fmt: skip
def test_every_shape_and_type_round_trips(shape, dtype):
    height, width, channels = (*shape, 0)[:3]
    pixels = photo(height, width)
    if len(shape) == 2:
        pixels = pixels[..., 0]
    elif channels == 1:
        pixels = pixels[..., :1]
    elif channels == 4:
        pixels = np.dstack([pixels, np.full((height, width), 255, np.uint8)])
    if dtype == np.uint16:
        pixels = pixels.astype(np.uint16) * 257
    elif dtype != np.uint8:
        pixels = pixels.astype(dtype) / 255
    if min(height, width) < image.LEAST_SIDE:
        with pytest.raises(PayloadError, match="too small"):
            image.embed(pixels, PAYLOAD, key=KEY)
        return
    before = pixels.copy()
    out = image.embed(pixels, PAYLOAD, key=KEY)
    np.testing.assert_array_equal(pixels, before)
    assert (out.shape, out.dtype) == (pixels.shape, pixels.dtype)
    assert image.detect(out, key=KEY).payload == PAYLOAD
    assert quality.psnr(pixels, out) > 36


def test_large_pictures_are_halved_first():
    """By whole pixels: of odd sides the last row or column is left out."""
    pixels = cv2.resize(photo(), (3301, 2701), interpolation=cv2.INTER_CUBIC)
    out = image.embed(pixels, PAYLOAD, key=KEY)
    found = image.detect(out, key=KEY)
    assert found.payload == PAYLOAD
    assert found.geometry.tile == pytest.approx(64 * (3301 * 2701) ** 0.5 / 640, rel=0.01)
    part = image.detect(out[301:1650, 211:1861], key=KEY)
    assert part.payload == PAYLOAD
    assert part.geometry.tile == pytest.approx(found.geometry.tile, rel=0.01)


def test_batches_and_out():
    batch = np.stack([photo(300, 400, seed) for seed in (1, 2)])
    out = np.empty_like(batch)
    assert image.embed(batch, PAYLOAD, key=KEY, out=out) is out
    np.testing.assert_array_equal(image.embed(batch, PAYLOAD, key=KEY), out)
    np.testing.assert_array_equal(image.embed(batch[None], PAYLOAD, key=KEY), out[None])
    for one, cover in zip(out, batch, strict=True):
        np.testing.assert_array_equal(one, image.embed(cover, PAYLOAD, key=KEY))
        assert image.detect(one, key=KEY).payload == PAYLOAD
    for wrong in (out[:1], out.astype(np.uint16)):
        with pytest.raises(ValueError, match="out must have"):
            image.embed(batch, PAYLOAD, key=KEY, out=wrong)


@pytest.mark.parametrize("layout", ["fortran", "mirrored", "sliced", "read-only"])
def test_any_memory_layout_will_do(layout):
    pixels = photo(300, 400)
    wanted = image.embed(pixels, PAYLOAD, key=KEY)
    wide = np.repeat(pixels, 2, axis=1)
    pixels = {
        "fortran": np.asfortranarray(pixels),
        "mirrored": np.ascontiguousarray(pixels[:, ::-1])[:, ::-1],
        "sliced": wide[:, ::2],
        "read-only": pixels,
    }[layout]
    pixels.setflags(write=False)
    np.testing.assert_array_equal(image.embed(pixels, PAYLOAD, key=KEY), wanted)
    assert image.detect(np.asfortranarray(wanted), key=KEY).payload == PAYLOAD


def test_what_is_grey_stays_grey():
    grey = np.repeat(photo(300, 400)[..., 1:2], 3, axis=2)
    pixels = image.embed(grey, PAYLOAD, key=KEY)
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 1])
    np.testing.assert_array_equal(pixels[..., 1], pixels[..., 2])


@pytest.mark.parametrize("scale", [1, 257])
def test_colours_move_least_for_the_same_luma(scale):
    """Green more, blue less: the luma moves as it would have, all channels together less."""
    cover = photo(300, 400).astype(np.uint16 if scale > 1 else np.uint8) // 2 + 60
    cover = (cover * scale).astype(cover.dtype)
    pixels = image.embed(cover, PAYLOAD, key=KEY)
    change = (pixels.astype(float) - cover) / scale
    luma = change @ (0.299, 0.587, 0.114)
    assert np.square(change).mean() < 0.9 * np.square(luma).mean()
    slopes = [np.vdot(change[..., channel], luma) / np.vdot(luma, luma) for channel in range(3)]
    assert slopes[2] < slopes[0] < 1 < slopes[1]


def test_transparent_pixels_carry_nothing():
    pixels = np.dstack([photo(480, 640), np.zeros((480, 640), np.uint8)])
    pixels[100:400, 100:500, 3] = 255
    out = image.embed(pixels, PAYLOAD, key=KEY)
    hidden = pixels[..., 3] == 0
    np.testing.assert_array_equal(out[hidden], pixels[hidden])
    np.testing.assert_array_equal(out[..., 3], pixels[..., 3])
    assert image.detect(out, key=KEY).payload == PAYLOAD


@pytest.mark.parametrize("scale", [1, 257])
def test_black_stays_black_and_white_stays_white(scale):
    pixels = photo()
    pixels[100:300, 100:300] = 0
    pixels[400:650, 500:800] = 255
    pixels = pixels if scale == 1 else pixels.astype(np.uint16) * scale
    out = image.embed(pixels, PAYLOAD, key=KEY)
    # The mark of the neighbours, resized, reaches a few pixels in.
    assert not out[110:290, 110:290].any()
    assert (out[410:640, 510:790] == 255 * scale).all()
    assert image.detect(out, key=KEY).payload == PAYLOAD


@pytest.mark.parametrize("value", [0, 255])
def test_nothing_is_put_into_black_or_white_pictures(value):
    flat = np.full((300, 400, 3), value, np.uint8)
    written = image.mark(flat, PAYLOAD, key=KEY)
    np.testing.assert_array_equal(written.pixels, flat)
    assert written.statistic == 0
    assert image.detect(written.pixels, key=KEY).payload is None


def test_line_art_is_marked_only_where_black_and_white_may_change():
    """It says so beforehand."""
    page = np.full((600, 800), 255, np.uint8)
    for top in range(45, 600, 48):
        cv2.putText(page, "some words in black and white", (20, top), 0, 1.3, 0, 2)
    balanced, robust = (
        image.mark(page, PAYLOAD, key=KEY, strength=name) for name in ("balanced", "robust")
    )
    assert balanced.statistic < balanced.threshold
    assert image.detect(robust.pixels, key=KEY).payload == PAYLOAD


@pytest.mark.parametrize("value", [30, 128, 225])
def test_flat_pictures_carry_the_mark_without_showing_it(value):
    flat = np.full((512, 512, 3), value, np.uint8)
    out = image.embed(flat, PAYLOAD, key=KEY)
    assert int(np.abs(out.astype(int) - flat).max()) <= 8
    assert quality.psnr(flat, out) > 42
    assert image.detect(out, key=KEY).payload == PAYLOAD


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 4, 3), np.uint8), np.zeros((9, 9, 2), np.uint8),
        np.zeros((9, 9, 3), np.int32), np.zeros(9, np.uint8),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused(pixels):
    with pytest.raises(ValueError, match=r"picture|pixels"):
        image.detect(pixels, key=KEY)
    with pytest.raises(ValueError, match=r"picture|pixels"):
        image.embed(pixels, PAYLOAD, key=KEY)


@pytest.mark.parametrize("payload", [b"", b"seven b", b"nine byte", "8 bytes."])
def test_payload_of_another_size_is_refused(payload):
    with pytest.raises(PayloadError):
        image.embed(photo(300, 400), payload, key=KEY)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 500), (3, 3), (17, 17), (20, 300), (39, 39), (40, 999), (2, 60_000)]
)
@pytest.mark.parametrize("kind", ["noise", "flat"])
def test_pictures_of_any_size_are_looked_at(shape, kind):
    pixels = np.full((*shape, 3), 128, np.uint8)
    if kind == "noise":
        pixels = drawn().integers(0, 256, pixels.shape, np.uint8)
    found = image.detect(pixels, key=KEY)
    assert (found.payload, found.present) == (None, False)


# --- robustness ---------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS)
def test_payload_survives(attack):
    found = image.detect(ATTACKS[attack](marked()), key=KEY)
    assert found.payload == PAYLOAD, found
    assert found.present
    assert found.p_value < 1e-9
    assert found.wire_format == "aiglabel.dwt.2"


@pytest.mark.parametrize("seed", [1, 2])
def test_payload_survives_in_other_pictures(seed):
    for attack in ("jpeg 30", "a quarter of the size", "rotated by 7°", "half of it, jpeg 50"):
        found = image.detect(ATTACKS[attack](marked(seed)), key=KEY)
        assert found.payload == PAYLOAD, (attack, found)


# --- answers ------------------------------------------------------------------------------------


def test_unmarked_pictures_and_other_keys_give_nothing():
    """0 of 96 looks and 6 searches; the benchmark has many more. The design rate is 1e-9."""
    for seed in range(8):
        pixels = photo(256 + 16 * seed, 320, seed)
        if seed % 2:
            pixels = image.embed(pixels, PAYLOAD, key=KEY)
        answers = image.detect_any(pixels, keys=OTHERS[:12], effort="quick")
        if seed < 3:
            answers += image.detect_any(ATTACKS["rotated by 7°"](pixels), keys=OTHERS[:2])
        for found in answers:
            assert (found.payload, found.present) == (None, False)
            assert found.statistic < 0.9 * found.threshold
            assert found.p_value > 1e-6


def test_geometry_tells_how_the_picture_was_changed():
    whole = image.detect(marked(), key=KEY).geometry
    assert (whole.step, whole.angle, whole.stretch) == ("as it is", 0, pytest.approx(1, abs=0.01))
    half = image.detect(ATTACKS["half the size"](marked()), key=KEY).geometry
    assert half.tile == pytest.approx(whole.tile / 2, rel=0.01)
    turned = image.detect(ATTACKS["rotated by 7°"](marked()), key=KEY).geometry
    assert turned.step != "as it is"
    assert turned.angle % 90 == pytest.approx(83, abs=0.2)
    assert turned.tile == pytest.approx(whole.tile, rel=0.01)
    wide = image.detect(ATTACKS["unequal"](marked()), key=KEY).geometry
    assert wide.stretch == pytest.approx(0.8, abs=0.01)


def test_two_marks_in_one_picture_are_both_found():
    other = OTHERS[0]
    both = image.embed(marked(), b"8 bytes.", key=other)
    for pixels in (both, both[101:661, 57:837]):
        found = image.detect_any(pixels, keys=[KEY, other])
        assert [one.payload for one in found] == [PAYLOAD, b"8 bytes."]


def test_old_and_new_marks_are_found_beside_each_other():
    old = mark_dwt1(photo(), b"8 bytes.", key=OTHERS[0], amplitude=1.5)
    both = image.embed(old, PAYLOAD, key=KEY)
    found = image.detect_any(both, keys=[KEY, OTHERS[0]], effort="thorough")
    assert [one.payload for one in found] == [PAYLOAD, b"8 bytes."]
    assert [one.wire_format for one in found] == ["aiglabel.dwt.2", "aiglabel.dwt.1"]
    assert found[1].p_value < 1e-9


def test_several_keys_share_the_transforms(calls):
    """Eight keys cost less than three times as much as one."""
    pixels = ATTACKS["half of it"](photo())
    image.detect(pixels, key=KEY)
    one = dict(calls)
    assert len(image.detect_any(pixels, keys=OTHERS[:8])) == 8
    eight = {name: calls[name] - count for name, count in one.items()}
    for name in ("octaves", "to_frame"):
        assert eight[name] == one[name] > 0, name
    assert eight["registered"] <= budget.EFFORTS["full"].closer + 2


def test_quick_looks_at_whole_pictures_only(calls):
    for attack in ("jpeg 50", "half the size", "turned left"):
        found = image.detect(ATTACKS[attack](marked()), key=KEY, effort="quick")
        assert found.payload == PAYLOAD
    assert image.detect(ATTACKS["rotated by 7°"](marked()), key=KEY, effort="quick").payload is None
    assert calls["octaves"] == 0
    assert image.detect(ATTACKS["rotated by 7°"](marked()), key=KEY, effort="thorough").payload


@pytest.mark.parametrize("turn", [lambda p: p, lambda p: geometry.rotated(p, 10)])
def test_the_map_shows_where_the_mark_is(turn):
    """Left half marked, right half not: the map, turned back by eye, says the same."""
    composite = marked().copy()
    composite[:, 480:] = photo()[:, 480:]
    found = image.detect(turn(composite), key=KEY, locate=True)
    assert found.payload == PAYLOAD
    field = found.presence
    assert field.shape == (round(720 / 960 * presence.SIDE), presence.SIDE)
    middle = field[6:-6]
    assert np.median(middle[:, 8:13]) > 4
    assert abs(np.median(middle[:, 20:27])) < 1.5
    assert (middle[:, 8:13] > middle[:, 20:25].max()).mean() > 0.9


def test_there_is_a_map_only_where_it_is_asked_for_and_something_was_read():
    assert image.detect(marked(), key=KEY).presence is None
    assert image.detect(photo(300, 400), key=KEY, effort="quick", locate=True).presence is None


def test_the_threshold_rises_with_what_is_looked_at():
    pixels = photo(200, 200)
    one = image.detect(pixels, key=KEY, effort="quick")
    for found in (
        *image.detect_any(pixels, keys=OTHERS[:3], effort="quick"),
        *image.detect_any(pixels, keys=[KEY], looks=3, effort="quick"),
    ):
        assert found.threshold > one.threshold


def test_read_back_agrees_with_detection():
    assert image.holds(marked(), PAYLOAD, key=KEY)
    assert not image.holds(marked(), b"8 bytes.", key=KEY)
    assert not image.holds(marked(), PAYLOAD, key=OTHERS[0])
    assert not image.holds(photo(), PAYLOAD, key=KEY)


def test_marking_tells_how_well_it_holds():
    written = image.mark(photo(), PAYLOAD, key=KEY)
    assert written.statistic > written.threshold
    read = image.detect(signal.coded(written.pixels, "JPEG", 80), key=KEY)
    assert read.statistic > written.threshold
    np.testing.assert_array_equal(written.pixels, marked())


def test_stronger_marks_show_more_and_hold_better():
    written = [
        image.mark(photo(), PAYLOAD, key=KEY, strength=name)
        for name in ("invisible", "balanced", "robust")
    ]
    ratios = [quality.psnr(photo(), one.pixels) for one in written]
    assert ratios == sorted(ratios, reverse=True)
    statistics = [one.statistic for one in written]
    assert statistics == sorted(statistics)


def test_marks_of_pictures_and_payloads_do_not_lie_alike():
    """So the average of many marked pictures does not show the tile."""
    host = cv2.cvtColor(photo(), cv2.COLOR_RGB2GRAY).astype(np.float32)
    lays = {
        (lay.pose, lay.down, lay.right)
        for payload in (PAYLOAD, b"8 bytes.")
        for plane in (host, 255 - host, host[::-1])
        for lay in [image.choose_lay(plane, payload, KEY)]
    }
    assert len(lays) == 6


def test_threads_and_processes_agree_to_the_bit():
    pixels = photo(300, 400)
    wanted = hashlib.sha256(image.embed(pixels, PAYLOAD, key=KEY).tobytes()).hexdigest()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: image.embed(pixels, PAYLOAD, key=KEY), range(8)))
        turned = geometry.rotated(results[0], 5)
        answers = list(pool.map(lambda _: image.detect(turned, key=KEY), range(4)))
    assert {hashlib.sha256(one.tobytes()).hexdigest() for one in results} == {wanted}
    assert len({(one.payload, one.statistic) for one in answers}) == 1
    program = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]);"
        "from test_signal import *;"
        "marked = image.embed(photo(300, 400), PAYLOAD, key=KEY);"
        "print(hashlib.sha256(marked.tobytes()).hexdigest())"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == wanted


def test_signal_needs_no_files_or_codecs_of_its_own():
    program = (
        "import sys, aiglabel.signal.image;"
        "print([m for m in ('PIL', 'c2pa', 'ffmpeg', 'typer', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_quality_figures():
    a = photo()
    assert quality.psnr(a, a) == np.inf
    assert quality.ssim(a, a) == pytest.approx(1.0)
    b = a.copy()
    b[0, 0, 0] ^= 16
    assert quality.psnr(a, b) == pytest.approx(10 * np.log10(255**2 / (256 / a.size)), abs=1e-6)
    noisy = np.clip(a + np.random.default_rng(0).normal(0, 20, a.shape), 0, 255).astype(np.uint8)
    assert quality.ssim(a, noisy) < 0.9
