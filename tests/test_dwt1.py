"""The reader of the old wire format: golden picture, geometry, compression, statistics."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from dwt1_writer import mark
from pictures import pixels

from aiglabel.key import Key
from aiglabel.signal import code, dwt1, statistics

KEY = Key(bytes(range(32)))
PAYLOAD = b"\x01\x23\x45\x67\x89\xab\xcd\xef"
GOLDEN = Path(__file__).parent / "golden" / "dwt-1.npz"


def cover(height: int = 480, width: int = 640, seed: int = 0) -> np.ndarray:
    """Luma of a picture."""
    return cv2.cvtColor(pixels(height, width, seed), cv2.COLOR_RGB2GRAY)


def read(plane: np.ndarray, key: Key = KEY) -> dwt1.Reading:
    (reading,) = dwt1.read(plane, [key])
    return reading


def jpeg(plane: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", plane, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def test_golden_picture_is_still_read():
    """Made by version 0.1.0 with the open key, never made anew; figures of docs/wire-format.md."""
    marked = np.load(GOLDEN)["marked"]
    assert hashlib.sha256(marked.tobytes()).hexdigest().startswith("d497d1dbb9969af5")
    found = read(marked, Key.public())
    assert (found.payload, found.frame, found.pose) == (PAYLOAD, 64, "upright")
    assert found.statistic == pytest.approx(39.569, rel=1e-3)
    assert found.p_value < 1e-300


def test_carrier_is_the_documented_one():
    """64-bit words of SHAKE-256 over the stream's sub-key, sorted, sign by the lowest bit."""
    order, chips = dwt1.carrier(KEY, 64)
    digest = hashlib.shake_256(KEY.derive("image-1/carrier/64")).digest(8 * 3840)
    words = [int.from_bytes(digest[8 * i : 8 * i + 8], "little") for i in range(3840)]
    ranked = sorted(range(3840), key=words.__getitem__)
    assert order.shape == chips.shape == (352, 10)
    assert order.ravel().tolist() == ranked[:3520]
    assert chips.ravel().tolist() == [1 - 2 * (words[i] & 1) for i in ranked[:3520]]


# What is done to a marked picture, and the pose that undoes it.
TURNS = {
    "upright": lambda p: p,
    "mirrored": lambda p: p[:, ::-1],
    "flipped": lambda p: p[::-1],
    "half turn": lambda p: p[::-1, ::-1],
    "transposed": lambda p: p.T,
    "quarter turn left": lambda p: np.rot90(p, -1),
    "quarter turn right": np.rot90,
    "transversed": lambda p: p[::-1, ::-1].T,
}


def test_every_pose_is_tried():
    assert sorted(TURNS) == sorted(dwt1.POSES)


@pytest.mark.parametrize("pose", dwt1.POSES)
def test_mirrored_and_turned_pictures_are_read(pose):
    """The turned arrays are views with strides of every kind."""
    marked = mark(cover(400, 520), PAYLOAD, key=KEY)
    found = read(TURNS[pose](marked))
    assert (found.payload, found.frame, found.pose) == (PAYLOAD, 256, pose)
    # The frame is the same one: turning back costs nothing.
    assert found.statistic == pytest.approx(read(marked).statistic, rel=1e-3)


@pytest.mark.parametrize("side", dwt1.LADDER)
def test_every_frame_is_read(side):
    found = read(mark(cover(), PAYLOAD, key=KEY, side=side))
    assert (found.payload, found.frame) == (PAYLOAD, side)


ATTACKS = {
    "jpeg 80": lambda p: jpeg(p, 80),
    "half size": lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "twice the size": lambda p: cv2.resize(p, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC),
    "unequal": lambda p: cv2.resize(p, None, fx=0.7, fy=1.1, interpolation=cv2.INTER_AREA),
    "turned, smaller, jpeg 80": lambda p: jpeg(cv2.resize(np.rot90(p), None, fx=0.7, fy=0.7), 80),
    "float": lambda p: p.astype(np.float32) * np.float32(0.9) + np.float32(7.5),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_payload_survives(attack):
    for seed, shape in enumerate([(480, 640), (900, 600), (240, 300)]):
        found = read(ATTACKS[attack](mark(cover(*shape, seed), PAYLOAD, key=KEY)))
        assert found.payload == PAYLOAD, (shape, found)
        assert found.p_value < 1e-9


def test_colour_pictures_are_marked_in_their_luma():
    marked = cv2.cvtColor(mark(pixels(), PAYLOAD, key=KEY), cv2.COLOR_RGB2GRAY)
    assert read(marked).payload == PAYLOAD


def test_large_pictures_are_reduced_as_a_whole_would_be():
    """In strips, which never fit the samples of the frame."""
    plane = cover(1201, 777)
    np.testing.assert_allclose(dwt1._reduced(plane), dwt1.to_frame(plane, 512), atol=1e-3)
    assert read(mark(plane, PAYLOAD, key=KEY)).payload == PAYLOAD


def test_unmarked_pictures_and_other_keys_give_nothing():
    keys = [Key(hashlib.sha256(bytes([i])).digest()) for i in range(10)]
    for seed in range(6):
        plane = cover(256 + 40 * seed, 320, seed)
        if seed % 2:
            plane = mark(plane, PAYLOAD, key=KEY)
        for found in dwt1.read(plane, keys):
            assert found.payload is None
            assert found.statistic < 12.0 < found.threshold
            assert found.p_value > 1e-6


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_pictures_give_nothing(value):
    found = read(np.full((300, 200), value, np.uint8))
    assert (found.payload, found.p_value) == (None, 1.0)


def test_a_negative_is_present_without_payload():
    found = read(255 - mark(cover(), PAYLOAD, key=KEY))
    assert found.payload is None
    assert found.statistic >= found.threshold


def test_several_keys():
    """Each key finds its own mark, wherever it was put, in the order asked for."""
    other = Key(bytes(32))
    both = mark(mark(cover(), PAYLOAD, key=KEY).T, b"8 bytes.", key=other, amplitude=1.5)
    found = dwt1.read(both, [Key.public(), KEY, other])
    assert [one.payload for one in found] == [None, PAYLOAD, b"8 bytes."]
    assert [one.pose for one in found[1:]] == ["transposed", "upright"]


def test_threshold_counts_every_hypothesis():
    plane = cover(100, 120)  # frames of sides 64 to 192
    for keys, extra in ((1, 0.0), (3, 0.0), (1, math.log(7))):
        found = dwt1.read(plane, [KEY] * keys, log_hypotheses_extra=extra)
        log = code.INFO_BITS * math.log(2) + math.log(8 * 4 * keys) + extra
        assert {one.threshold for one in found} == {statistics.threshold(log)}
        assert found[0].p_value == statistics.p_value(found[0].statistic, log)


@pytest.mark.parametrize(
    ("shape", "sides"),
    [
        ((0, 9), []), ((25, 900), []), ((26, 26), [64]), ((103, 110), [64, 96, 128, 192, 256]),
        ((1025, 1030), [96, 128, 192, 256]), ((9000, 9000), [256]),
    ],
)  # fmt: skip
def test_frames_of_a_size(shape, sides):
    assert dwt1.sides_to_try(shape) == sides


@pytest.mark.parametrize("shape", [(0, 9), (1, 1), (25, 900)])
def test_too_small_pictures_have_no_frame(shape):
    found = read(np.zeros(shape, np.uint8))
    assert (found.payload, found.statistic, found.p_value, found.frame) == (None, 0.0, 1.0, 0)


def test_no_keys_no_readings():
    assert dwt1.read(cover(), []) == []
