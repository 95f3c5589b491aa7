"""Arrays, tensors and Pillow images in and out."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from aiglabel.containers.sniff import Format
from aiglabel.errors import ResourceLimit, UnsupportedFormat
from aiglabel.media import Limits, Picture, decode, encode, from_array, to_array

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda hw: st.sampled_from([hw, *((*hw, c) for c in (1, 3, 4)), (2, *hw, 3)])
)


@given(hnp.arrays(st.sampled_from([np.uint8, np.uint16]), SHAPES))
def test_integers_come_back_as_they_were(array: np.ndarray) -> None:
    before = array.copy()
    again = to_array(from_array(array))
    assert again.dtype == array.dtype
    assert np.array_equal(again, before)
    assert np.array_equal(array, before)


@given(hnp.arrays(np.float64, SHAPES, elements=st.floats(0, 1)))
def test_floats_come_back_within_half_a_level_of_16_bits(array: np.ndarray) -> None:
    again = to_array(from_array(array))
    assert again.dtype == np.float32
    assert again.shape == array.shape
    assert np.abs(again - array).max() <= 0.51 / 65535


def test_floats_are_coded_at_8_bits() -> None:
    picture = from_array(np.linspace(0, 1, 48, dtype=np.float32).reshape(4, 4, 3))
    assert isinstance(picture, Picture)
    assert decode(encode(picture)).frames[0].dtype == np.uint8
    deep = from_array(np.zeros((4, 4, 3), np.uint16))
    assert isinstance(deep, Picture)
    assert decode(encode(deep)).frames[0].dtype == np.uint16


class Tensor:
    """Enough of a torch tensor on another device with a gradient."""

    def __init__(self, array: np.ndarray, steps: tuple[str, ...] = ()) -> None:
        self.array, self.steps = array, steps

    def detach(self) -> Tensor:
        return Tensor(self.array, (*self.steps, "detach"))

    def cpu(self) -> Tensor:
        return Tensor(self.array, (*self.steps, "cpu"))

    def numpy(self) -> np.ndarray:
        assert self.steps == ("detach", "cpu")
        return self.array


def test_tensors_are_taken() -> None:
    array = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert np.array_equal(to_array(from_array(Tensor(array))), array)


@pytest.mark.parametrize("array", [
    np.zeros((3, 5, 7), np.uint8), np.zeros(5, np.uint8), np.zeros((1, 1, 4, 4, 3), np.uint8),
    np.zeros((4, 4, 3), np.int32), np.zeros((4, 4, 3), bool), np.zeros((4, 4), complex),
    np.full((4, 4), np.nan), np.full((4, 4), 255.0), np.full((4, 4), -0.5),
    "a string", None, [[1, 2]],
])  # fmt: skip
def test_what_is_no_picture_is_refused(array: object) -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        from_array(array)
    assert caught.value.remedy


def test_array_limits() -> None:
    with pytest.raises(ResourceLimit):
        from_array(np.zeros((40, 40), np.uint8), limits=Limits(max_pixels=1000))
    with pytest.raises(ResourceLimit):
        from_array(np.zeros((9, 4, 4, 3), np.uint8), limits=Limits(max_frames=8))


@pytest.mark.parametrize(("mode", "space", "alpha"), [
    ("1", "gray", False), ("L", "gray", False), ("LA", "gray", True), ("P", "rgb", False),
    ("PA", "rgb", True), ("RGB", "rgb", False), ("RGBA", "rgb", True), ("RGBX", "rgb", False),
    ("CMYK", "cmyk", False), ("YCbCr", "rgb", False), ("HSV", "rgb", False),
    ("I;16", "gray", False),
])  # fmt: skip
def test_pillow_images_of_any_mode(mode: str, space: str, alpha: bool) -> None:
    picture = from_array(Image.new(mode, (7, 5)))
    assert isinstance(picture, Picture)
    assert (picture.space, picture.alpha[0] is not None) == (space, alpha)
    assert picture.size == (7, 5)
    assert picture.frames[0].dtype == (np.uint16 if mode == "I;16" else np.uint8)


def test_pillow_image_is_turned_upright_and_untouched() -> None:
    im = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6))
    im.getexif()[274] = 6
    before = im.tobytes()
    picture = from_array(im)
    assert isinstance(picture, Picture)
    assert picture.size == (4, 6)
    assert picture.settings.orientation == 1
    assert im.tobytes() == before


def test_an_animated_pillow_image_is_refused() -> None:
    frames = [np.full((4, 4, 3), v, np.uint8) for v in (0, 255)]
    data = encode(Picture(frames, [None, None], "rgb").changed(durations=(9.0, 9.0)), Format.PNG)
    with Image.open(io.BytesIO(data)) as im, pytest.raises(UnsupportedFormat):
        from_array(im)
