"""The watermark's synchronisation: tile, whitening, lattice, pilots, registration, search."""

from __future__ import annotations

import hashlib
import itertools
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aiglabel.key import Key
from aiglabel.signal import (
    budget,
    code,
    detector,
    frame,
    image,
    lattice,
    plane,
    statistics,
    sync,
    tile,
    whitening,
    windows,
)

KEY = Key(bytes(range(32)))
PAYLOAD = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
CARRIER = tile.carrier(KEY)
OTHER_CARRIER = tile.carrier(Key(bytes(range(1, 33))))
WORD = code.DWT_2.encode(PAYLOAD, KEY.derive("image-2/tag"))
ONE = tile.synthesise(tile.gains() * CARRIER.signs(WORD))

seeds = st.integers(0, 2**32 - 1)
poses = st.integers(0, tile.POSES - 1)
offsets = st.integers(0, tile.SIDE - 1)


def noise(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def view(
    angle: float = 0, scale: float = 1, aspect: float = 1, shear: float = 0
) -> NDArray[np.float64]:
    """Matrix (2, 2) that turns by degrees, scales, stretches to width over height, shears."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    stretch = np.diag([math.sqrt(aspect), 1 / math.sqrt(aspect)])
    return scale * turn @ np.array([[1, shear], [0, 1]]) @ stretch


def seen(
    matrix: NDArray[np.float64], shape: tuple[int, int], *, louder: float = 2.0, seed: int = 0
) -> NDArray[np.float32]:
    """The repeated tile, seen through a lattice, under noise so many times louder."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    place = np.stack([x, y], axis=-1) @ np.linalg.inv(matrix).T + (11.3, -7.9)
    inside = (place % tile.SIDE + tile.SIDE).astype(np.float32)
    mark = cv2.remap(np.tile(ONE, (3, 3)), inside[..., 0], inside[..., 1], cv2.INTER_CUBIC)
    return mark + np.float32(louder * ONE.std()) * noise(shape, seed)


def plane_of(luma: NDArray[np.float32]) -> plane.Plane:
    """A plane that is white already."""
    return plane.Plane(luma, luma)


# --- tile ---------------------------------------------------------------------------------------


@given(seeds)
def test_tile_transform_is_orthonormal_and_invertible(seed):
    values = noise((tile.COEFFICIENTS,), seed)
    one = tile.synthesise(values)
    assert one.shape == (tile.SIDE, tile.SIDE)
    np.testing.assert_allclose(tile.analyse(one), values, atol=1e-4)
    assert float((one**2).sum()) == pytest.approx(float((values**2).sum()), rel=1e-4)


@given(seeds, poses)
def test_upright_undoes_posed(seed, pose):
    one = noise((tile.SIDE, tile.SIDE), seed)
    np.testing.assert_array_equal(tile.upright(tile.posed(one, pose), pose), one)


def test_poses_are_the_eight_symmetries_of_the_square():
    square = np.arange(9, dtype=np.float32).reshape(3, 3)
    laid = {tile.posed(square, pose).tobytes() for pose in range(tile.POSES)}
    turned = [np.rot90(one, quarters) for one in (square, square.T) for quarters in range(4)]
    assert laid == {np.ascontiguousarray(one).tobytes() for one in turned}
    np.testing.assert_array_equal(tile.posed(square, 5), square.T[:, ::-1])


@given(seeds, st.integers(1, 300), st.integers(1, 300))
def test_fold_is_the_adjoint_of_spread(seed, height, width):
    one, plane = noise((tile.SIDE, tile.SIDE), seed), noise((height, width), seed + 1)
    apart = float(np.vdot(tile.fold(plane).astype(float), one))
    together = float(np.vdot(plane.astype(float), tile.spread(one, plane.shape)))
    assert apart == pytest.approx(together, abs=1e-2)


def test_carrier_is_the_documented_one():
    """Wire format: words of SHAKE-256; in each level the first sixth by size are pilots."""
    digest = hashlib.shake_256(KEY.derive("image-2/tile")).digest(8 * tile.COEFFICIENTS)
    words = [int.from_bytes(digest[at : at + 8], "little") for at in range(0, len(digest), 8)]
    assert CARRIER.chips.tolist() == [1 - 2 * (word & 1) for word in words]
    pilots, message, bits = [], [], []
    for first, size in ((0, 768), (768, 192)):
        order = sorted(range(first, first + size), key=words.__getitem__)
        pilots += order[: size // 6]
        message += order[size // 6 :]
        count = size - size // 6
        bits += [index * 352 // count for index in range(count)]
    assert CARRIER.pilots.tolist() == pilots
    assert CARRIER.message.tolist() == message
    assert CARRIER.bits.tolist() == bits


def test_pilots_and_message_share_no_coefficient_and_bits_are_spread_evenly():
    both = np.concatenate([CARRIER.pilots, CARRIER.message])
    assert sorted(both.tolist()) == list(range(tile.COEFFICIENTS))
    levels = np.unique(tile.gains(), return_inverse=True)[1][CARRIER.message]
    for level in np.unique(levels):
        counts = np.bincount(CARRIER.bits[levels == level], minlength=code.CODE_BITS)
        assert np.ptp(counts) <= 1


def test_carriers_of_keys_are_unrelated_and_shared_by_all_callers():
    other = tile.carrier(Key.public())
    assert abs(float(np.mean(other.chips * CARRIER.chips))) < 0.15
    assert tile.carrier(Key(bytes(range(32)), name="same secret")).chips.tolist() == (
        CARRIER.chips.tolist()
    )
    for array in vars(CARRIER).values():
        assert not array.flags.writeable


def test_templates_are_the_pilots_in_every_pose():
    alone = np.zeros(tile.COEFFICIENTS, np.float32)
    alone[CARRIER.pilots] = CARRIER.chips[CARRIER.pilots]
    for pose, template in enumerate(CARRIER.templates):
        laid = np.fft.irfft2(template.conj(), s=(tile.SIDE, tile.SIDE))
        np.testing.assert_allclose(laid, tile.posed(tile.synthesise(alone), pose), atol=1e-4)


def test_statistics_are_normalised_correlations():
    values = CARRIER.signs(WORD) * np.float32(3)
    soft = CARRIER.soft(values)
    assert float(soft @ WORD) == pytest.approx(math.sqrt(len(CARRIER.message)), rel=1e-5)
    assert CARRIER.pilot_statistic(values) == pytest.approx(math.sqrt(len(CARRIER.pilots)))
    np.testing.assert_array_equal(np.sign(soft), WORD)
    assert not CARRIER.soft(np.zeros_like(values)).any()
    assert CARRIER.pilot_statistic(np.zeros_like(values)) == 0


# --- whitening ----------------------------------------------------------------------------------


def test_flattening_divides_by_the_power_around_each_line():
    """The half spectrum stands for a whole one that wraps around."""
    folded = cv2.GaussianBlur(noise((tile.SIDE, tile.SIDE)), (0, 0), 1.2) * 40
    power = np.abs(np.fft.fft2(folded)) ** 2
    around = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    local = np.mean([np.roll(power, shift, (0, 1)) for shift in around], axis=0)[:, :33]
    wanted = 1 / np.sqrt(local + 1e-4 * local.mean())
    np.testing.assert_allclose(whitening.flattening(np.fft.rfft2(folded)), wanted, rtol=1e-3)


def test_flattened_host_is_even_and_its_loudness_does_not_matter():
    folded = cv2.GaussianBlur(noise((tile.SIDE, tile.SIDE)), (0, 0), 0.6) * 40
    spectrum = whitening.flattened(folded)
    quadrants = np.abs(spectrum.reshape(4, 16, 33)[..., :32].reshape(4, 16, 2, 16)) ** 2
    assert quadrants.mean((1, 3)) == pytest.approx(np.ones((4, 2)), abs=0.3)
    np.testing.assert_allclose(whitening.flattened(folded * 100), spectrum, rtol=1e-3, atol=1e-4)
    assert not whitening.flattened(np.zeros_like(folded)).any()


def test_whitening_takes_light_away_and_holds_busy_places_down():
    assert not whitening.whitened(np.full((90, 70), 137, np.float32)).any()
    plane = 100 + noise((200, 200)) * np.repeat(np.float32([2, 40]), 100)
    white = whitening.whitened(plane)
    np.testing.assert_allclose(whitening.whitened(plane + 50), white, atol=1e-4)
    assert white[:, 10:90].std() > white[:, 110:190].std()


@given(seeds, offsets, offsets)
@settings(max_examples=20)
def test_a_tile_is_moved_back_by_whole_samples_exactly(seed, down, right):
    one = noise((tile.SIDE, tile.SIDE), seed)
    spectrum = np.fft.rfft2(np.roll(one, (down, right), (0, 1))).astype(np.complex64)
    np.testing.assert_allclose(whitening.shifted_tile(spectrum, down, right), one, atol=1e-4)


# --- lattice ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "matrix",
    [
        view(), view(angle=30), view(angle=73, scale=1.4), view(scale=1.7),
        view(aspect=1.3), view(aspect=0.8, scale=1.3), view(angle=10, shear=0.03),
        view(shear=0.05), view(angle=20, aspect=1.1), view(angle=60, scale=1.3, shear=0.06),
    ],
    ids=[
        "as it is", "turned", "turned and larger", "larger", "wide", "tall and larger",
        "turned and sheared", "sheared", "turned and wide", "turned, larger and sheared",
    ],
)  # fmt: skip
def test_lattice_is_found_blindly(matrix):
    """Up to the eight poses of a square, and the lattice's other bases: whole numbers apart."""
    found, scores = lattice.Guesses.of(plane_of(seen(matrix, (512, 640)))).refined()
    best = np.argsort(-scores)[: budget.EFFORTS["full"].lattices]
    basis = np.linalg.inv(matrix) @ found[best]
    same = np.abs(basis - np.rint(basis)).max((1, 2)) < 0.006
    assert (same & (np.abs(np.abs(np.linalg.det(basis)) - 1) < 0.01)).any()
    assert scores.max() > 10


def test_without_a_mark_no_lattice_stands_out():
    for seed in range(3):
        assert lattice.Guesses.of(plane_of(noise((400, 500), seed))).refined()[1].max() < 8


@pytest.mark.parametrize("shape", [(16, 500), (17, 17), (40, 40), (64, 300)])
def test_planes_of_any_size_are_searched(shape):
    searched = plane_of(noise(shape))
    guesses = lattice.Guesses.of(searched)
    for found, scores in (guesses.refined(), guesses.likeliest(50)):
        assert found.shape == (len(scores), 2, 2)
        assert np.isfinite(found).all()
        assert np.isfinite(scores).all()
    heights = sync.heights(searched, lattice.upright(), [CARRIER])
    assert heights.shape == (1, len(lattice.upright()))
    assert np.isfinite(heights).all()
    assert heights.max() < 7


@pytest.mark.parametrize("shape", [(900, 1200), (100, 90), (20, 3000)])
def test_octaves_halve_until_no_tile_fits(shape):
    luma = np.clip(128 + 20 * noise(shape), 0, 255).astype(np.uint8)
    planes = plane.octaves(luma, 600, 4)
    assert planes
    for one in planes:
        assert one.luma.shape == one.white.shape
        assert one.luma.size <= 600**2 * 1.01
        assert min(one.luma.shape) >= tile.SIDE // 4
    sizes = [one.luma.shape[0] for one in planes]
    assert all(a / b == pytest.approx(2, rel=0.1) for a, b in itertools.pairwise(sizes))


# --- pilots and registration --------------------------------------------------------------------


@given(seeds, poses, offsets, offsets)
def test_pilots_find_pose_and_offset(seed, pose, down, right):
    laid = np.roll(tile.posed(ONE, pose), (down, right), (0, 1))
    folded = laid + np.float32(0.7 * ONE.std()) * noise(laid.shape, seed)
    spectrum = whitening.flattened(folded)
    peak = sync.find(spectrum, CARRIER)
    assert (peak.pose, round(peak.down) % 64, round(peak.right) % 64) == (pose, down, right)
    soft = CARRIER.soft(sync.values(spectrum, peak))
    assert code.DWT_2.decode(soft[None], [KEY.derive("image-2/tag")])[1] == [PAYLOAD]


def test_offsets_between_samples_are_found():
    spectrum = np.fft.rfft2(ONE).astype(np.complex64)
    moved = whitening.shifted_tile(spectrum, -20.4, -31.3)
    peak = sync.find(whitening.flattened(moved), CARRIER)
    assert (peak.down, peak.right) == pytest.approx((20.4, 31.3), abs=0.2)


def test_a_plane_is_laid_back():
    """In canonical coordinates the tile is upright, whatever the lattice was."""
    matrix = view(angle=25, scale=1.2, aspect=1.1)
    laid = sync.lay(128 + seen(matrix, (500, 600), louder=0.5), matrix)
    peak = sync.find(laid.spectrum(), CARRIER)
    assert peak.pose == 0
    corner = laid.matrix @ laid.origin
    assert (np.array([600, 500]) @ np.linalg.inv(matrix).T - laid.origin >= 0).all()
    assert np.isfinite(corner).all()
    statistic = float(CARRIER.soft(sync.values(laid.spectrum(), peak)) @ WORD)
    assert statistic > 20


def test_polishing_gains_what_a_wrong_lattice_lost():
    matrix = view(angle=12, scale=1.1)
    searched = plane_of(seen(matrix, (500, 600), louder=1.0))
    wrong = matrix @ np.array([[1.003, -0.002], [0.001, 0.998]])
    before = sync.heights(searched, wrong[None], [CARRIER])[0, 0]
    better, after = sync.polished(searched, wrong, CARRIER)
    assert after > before
    assert np.abs(better - matrix).max() < np.abs(wrong - matrix).max()


@given(seeds)
def test_the_spectrum_tells_what_folding_would(seed):
    """Lattices are compared without laying the plane: the same heights, nearly, as laid."""
    rng = np.random.default_rng(seed)
    matrix = view(angle=rng.uniform(0, 90), scale=rng.uniform(0.7, 1.6))
    luma = 128 + seen(matrix, (420, 500), louder=0.5)
    searched = plane.Plane(whitening.whitened(luma), luma)
    other = view(angle=20, scale=1.234) @ matrix
    heights = sync.heights(searched, np.stack([matrix, other]), [CARRIER, OTHER_CARRIER])
    laid = sync.find(sync.lay(luma, matrix).spectrum(), CARRIER)
    assert heights[0, 0] > 0.75 * laid.height
    assert heights[0, 0] > 8
    assert heights[0, 1] < 6.5
    assert (heights[1] < 6.5).all()


def test_registration_undoes_a_small_bend():
    shape = (512, 640)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    flat = tile.spread(ONE, shape)
    bent = cv2.remap(
        flat, x + 4 * np.sin(y / 110), y + 4 * np.cos(x / 130), cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    ) + np.float32(2 * ONE.std()) * noise(shape)  # fmt: skip

    def statistic(laid: sync.Laid) -> float:
        spectrum = laid.spectrum()
        return float(CARRIER.soft(sync.values(spectrum, sync.find(spectrum, CARRIER))) @ WORD)

    laid = sync.Laid(bent, np.eye(2), np.zeros(2))
    registered = sync.registered(laid, sync.find(laid.spectrum(), CARRIER), CARRIER)
    assert registered.white.shape == shape
    assert statistic(registered) > 1.2 * statistic(laid)
    assert statistic(registered) > 20


@given(seeds)
def test_the_pilots_of_a_bent_plane_are_found(seed):
    """No two parts of it quite agree where they are."""
    rng = np.random.default_rng(seed)
    pose, down, right = int(rng.integers(8)), *(int(one) for one in rng.integers(0, 64, 2))
    one = np.roll(tile.posed(ONE, pose), (down, right), (0, 1))
    y, x = np.mgrid[:448, :512].astype(np.float32)
    waves = [2 * np.sin(rng.uniform(0, 6) + y / 30 + x / 60), 2 * np.sin(y / 50 - x / 25)]
    bent = cv2.remap(tile.spread(one, y.shape), x + waves[0], y + waves[1], cv2.INTER_CUBIC)
    peak = sync.find_bent(bent + np.float32(ONE.std()) * noise(y.shape, seed), CARRIER)
    assert peak.pose == pose
    apart = (np.array([peak.down - down, peak.right - right]) + 32) % 64 - 32
    assert np.abs(apart).max() <= 4


@given(st.integers(64, 3000), st.integers(64, 3000))
def test_windows_cover_the_plane(height, width):
    seen = np.zeros((height, width), bool)
    for window in windows.windows((height, width)):
        seen[window] = True
        assert min(seen[window].shape) >= min(height, width, 2 * tile.SIDE)
    assert seen.all()


def test_planes_smaller_than_a_tile_have_no_windows():
    assert windows.windows((tile.SIDE - 1, 5000)) == []


def test_a_window_finds_its_own_lattice():
    """Sheared and stretched as a view from the side is; and anything at all where it stands out."""
    near = np.array([[1.05, -0.03], [0.02, 0.96]])
    found = windows.near(plane_of(seen(near, (256, 300), louder=2.0)))
    assert np.abs(found[0] - near).max() < 0.006
    far = view(angle=31, scale=0.8, aspect=1.1)
    found = windows.standing_out(plane_of(seen(far, (320, 380), louder=2.0)))
    basis = np.linalg.inv(far) @ found[0]
    assert np.abs(basis - np.rint(basis)).max() < 0.01


def test_a_window_of_a_lay_shows_a_window_of_the_plane():
    luma = np.full((300, 400), 128, np.float32)
    laid = sync.lay(luma, view(angle=10, scale=1.3))
    window = laid.window(np.s_[60:200, 100:330])
    for x, y in ((101, 61), (329, 61), (101, 199), (329, 199)):
        column, row = np.linalg.inv(laid.matrix) @ (x, y) - laid.origin
        assert window[0].start <= row <= window[0].stop
        assert window[1].start <= column <= window[1].stop


# --- frames -------------------------------------------------------------------------------------


@given(st.integers(40, 20_000), st.integers(40, 20_000))
def test_a_picture_is_looked_at_in_the_frame_it_is_marked_in(height, width):
    shape = (height, width)
    sides = frame.sides_to_mark(shape)
    assert frame.sides_to_try(shape)[0] == sides[0]
    assert set(sides) <= set(frame.sides_to_try(shape)) <= set(frame.LADDER)
    for side in sides:
        rows, columns = frame.shape_of(shape, side)
        assert rows * columns == pytest.approx(side**2, rel=0.1)


@given(st.integers(100, 4000), st.integers(100, 4000), st.floats(0.5, 2))
def test_the_frame_of_a_resized_picture_is_tried(height, width, scale):
    resized = (round(height * scale), round(width * scale))
    assert frame.sides_to_mark((height, width))[0] in frame.sides_to_try(resized)


@given(st.integers(100, 20_000), st.integers(100, 20_000))
def test_the_frame_of_a_long_picture_is_not_long(height, width):
    """Sites shrink a picture until its longer side fits: the mark has to be as coarse."""
    if min(height, width) * 20 > max(height, width):
        rows, columns = frame.shape_of((height, width), frame.sides_to_mark((height, width))[0])
        assert max(rows, columns) <= 1501 or min(rows, columns) < 64


# --- statistics ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 7, 160, 800])
def test_the_bound_holds_for_equal_weights(count):
    """Exactly, by the binomial distribution: for any other weights it is a theorem."""
    chance = 0.0
    for heads in range(count, -1, -1):
        chance += math.comb(count, heads) / 2**count
        statistic = (2 * heads - count) / math.sqrt(count)
        if statistic > 0:
            assert chance <= statistics.p_value(statistic, 0.0) * (1 + 1e-12)


@given(st.floats(0.01, 300))
def test_the_threshold_is_where_the_bound_is_the_rate(log):
    limit = statistics.threshold(log)
    assert statistics.p_value(limit, log) == pytest.approx(statistics.FALSE_POSITIVE_RATE, rel=1e-9)
    assert statistics.p_value(0.99 * limit, log) > statistics.FALSE_POSITIVE_RATE


def test_each_test_has_its_share_of_the_false_positives():
    share = statistics.FALSE_POSITIVE_RATE / detector.TRIED.tests
    for looks in (1, 3, 24):
        for limit, log in zip(
            detector.TRIED.limits(looks), detector.TRIED.hypotheses(looks), strict=True
        ):
            assert statistics.p_value(limit, log) == pytest.approx(share)
    assert all(
        a < b for a, b in zip(detector.TRIED.limits(1), detector.TRIED.limits(2), strict=True)
    )
    # Of the codewords only those with a right tag count, and every decoding once more.
    assert detector.TRIED.hypotheses(1)[0] > 64 * math.log(2)


def test_statistics_of_other_keys_are_those_of_coin_flips():
    """At a place and for a word that were fixed beforehand: mean 0, variance 1, no long tails."""
    spectrum = whitening.flattened(tile.fold(seen(view(), (400, 500))))
    values = sync.values(spectrum, sync.Peak(0, 3, 17, 40))
    carriers = [tile.carrier(Key(hashlib.sha256(bytes([i, 1])).digest())) for i in range(250)]
    for found in (
        np.array([float(one.soft(values) @ WORD) for one in carriers]),
        np.array([one.pilot_statistic(values) for one in carriers]),
    ):
        assert abs(found.mean()) < 0.25
        assert found.std() == pytest.approx(1, abs=0.15)
        assert np.abs(found).max() < 4.5


def noise_picture(seed: int) -> np.ndarray:
    rough = np.random.default_rng(seed).normal(128, 90, (500, 600)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(rough, (0, 0), 1.5), 0, 255).astype(np.uint8)


def test_a_bent_plane_proves_nothing_by_its_pilots(monkeypatch):
    """Registration bends a plane until the pilots fit: that is no evidence of a mark."""
    registered = detector.sync.registered
    fits = []

    def watched(laid, peak, carrier):
        bent = registered(laid, peak, carrier)
        values = sync.values(bent.spectrum(), sync.find(bent.spectrum(), carrier))
        fits.append(carrier.pilot_statistic(values))
        return bent

    monkeypatch.setattr(detector.sync, "registered", watched)
    for seed in range(3):
        found = image.detect(noise_picture(seed), key=KEY, effort="thorough")
        assert found.payload is None
        assert not found.present
        assert found.statistic < 0.75 * found.threshold
    assert max(fits) > 6.5  # or this test shows nothing
