"""The visible label: its height is measured, it stays inside, it reads back."""

from __future__ import annotations

import io
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aiglabel import assets
from aiglabel.errors import LabelError
from aiglabel.evidence import Status
from aiglabel.marks import overlay
from aiglabel.marks.overlay import OverlayStyle, Position, typeset
from aiglabel.marks.overlay.layout import LEAST_INK, LEAST_OPACITY, LEGIBLE_INK

SHARED = Path(__file__).resolve().parents[2] / "shared" / "media"
SYSTEM_FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"
STYLES = ("outline", "pill")


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture with soft and sharp structure."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(2, height // 40), max(2, width // 40), 3), dtype=np.uint8)
    soft = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(soft, rng.integers(0, 30, soft.shape, dtype=np.uint8))


def resized(frame: np.ndarray, factor: float) -> np.ndarray:
    size = (round(frame.shape[1] * factor), round(frame.shape[0] * factor))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))


def jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


# ---------------------------------------------------------------- wording and font


@pytest.mark.parametrize(
    ("text", "regimes"),
    [
        ("AI生成", {"cn"}), ("人工智能合成", {"cn"}), ("由AI辅助生成", {"cn"}),
        ("疑似AI生成", {"cn"}),
        ("AI GENERATED", {"eu"}), ("AI-generated", {"eu"}), ("AI MODIFIED", {"eu"}),
        ("AI生成 AI GENERATED", {"cn", "eu"}), ("AI", set()), ("生成", set()),
        ("ai GENERATED", set()),
        ("CAI生活馆 合成", set()), ("MAI GENERATED", set()), ("AI绘画大赛", set()), ("", set()),
    ],
)  # fmt: skip
def test_wording(text: str, regimes: set[str]) -> None:
    assert overlay.validate_text(text) == regimes


def test_every_known_wording_satisfies_a_regime_and_has_glyphs() -> None:
    for text in overlay.TEXTS:
        assert overlay.validate_text(text)
        overlay.check(text, None)


def test_font_covers_its_list_and_stays_small() -> None:
    characters = assets.load("fonts/characters.txt").decode().replace("\n", "")
    assert len(characters) >= 390
    for start in range(0, len(characters), 60):
        overlay.check("A" + characters[start : start + 60], None)
    assert len(assets.load(typeset.FONT)) < 100_000
    assert b"SIL OPEN FONT LICENSE" in assets.load("fonts/OFL.txt")


def test_a_missing_glyph_is_named_and_never_drawn_as_a_box() -> None:
    with pytest.raises(LabelError, match=r"龘.*é") as error:
        overlay.plan(500, 500, OverlayStyle(text="AI生成龘é"))
    assert "font" in str(error.value.remedy)


@pytest.mark.parametrize("text", ["", "   ", "A" * 65, "AI\n生成", "AI\u200b生成"])
def test_texts_that_cannot_be_drawn(text: str) -> None:
    with pytest.raises(LabelError):
        overlay.plan(500, 500, OverlayStyle(text=text))


def test_fonts_that_cannot_be_used(tmp_path: Path) -> None:
    broken = tmp_path / "broken.otf"
    broken.write_bytes(b"OTTO" + bytes(200))
    for font in (str(broken), str(tmp_path / "none.otf"), str(tmp_path)):
        with pytest.raises(LabelError):
            overlay.plan(500, 500, OverlayStyle(font=font))


@pytest.mark.parametrize(
    "wrong",
    [{"style": "shadow"}, {"position": "middle"}, {"height_ratio": 0.0}, {"height_ratio": 0.6},
     {"height_rule": "loose"}, {"opacity": 0.6}, {"margin_ratio": -0.1}, {"opacity": float("nan")}],
)  # fmt: skip
def test_styles_that_contradict_the_rules(wrong: dict[str, object]) -> None:
    with pytest.raises(LabelError):
        OverlayStyle(**wrong)


# ---------------------------------------------------------------- layout


@settings(max_examples=120, deadline=None)
@given(
    width=st.integers(1, 600),
    height=st.integers(1, 600),
    text=st.sampled_from(overlay.TEXTS),
    position=st.sampled_from(Position),
    look=st.sampled_from(STYLES),
    ratio=st.sampled_from([0.03, 0.05, 0.1, 0.3]),
)
def test_inside_the_picture_and_high_enough_or_refused(
    width: int, height: int, text: str, position: Position, look: str, ratio: float
) -> None:
    style = OverlayStyle(text=text, position=position, style=look, height_ratio=ratio)
    try:
        layout = overlay.plan(width, height, style)
    except LabelError:
        # Only where there is really no room: a square that holds the text always works.
        assert min(width, height) < 12 * max(LEAST_INK, ratio * min(width, height))
        return
    x0, y0, x1, y1 = layout.box
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    assert layout.ink.shape == layout.shade.shape == (y1 - y0, x1 - x0)
    assert layout.required_height == math.ceil(ratio * min(width, height) - 1e-9)
    assert layout.block.ink_height >= max(layout.required_height, LEAST_INK)
    assert "".join(layout.text_lines).replace(" ", "") == text.replace(" ", "")
    # Every letter is drawn whole: the shade reaches around it, the picture's edge does not cut it.
    assert (layout.shade >= layout.ink).all()


@pytest.mark.parametrize("side", [160, 512, 720, 768, 1024, 1080, 2160])
@pytest.mark.parametrize("text", ["AI", "IA", "H"])
def test_height_measured_on_the_painted_picture(side: int, text: str) -> None:
    style = OverlayStyle(text=text, position="top-left")
    drawn = overlay.draw(np.zeros((side, side + 9, 1), np.uint8), None, style, space="gray")
    rows = np.flatnonzero((drawn.frame[..., 0] >= 128).any(axis=1))
    measured = rows[-1] - rows[0] + 1
    assert measured == drawn.ink_height
    assert math.ceil(0.05 * side) <= measured <= math.ceil(0.05 * side) + 1


def test_the_smallest_letter_counts_but_not_a_flat_one() -> None:
    size = overlay.plan(1000, 1000, OverlayStyle(text="AI")).block.em
    assert overlay.plan(1000, 1000, OverlayStyle(text="AI一二-·")).block.em == size
    assert overlay.plan(1000, 1000, OverlayStyle(text="AI x")).block.em > 1.3 * size
    # Ideographs fill more of the em than capitals, so they need a smaller font.
    assert overlay.plan(1000, 1000, OverlayStyle(text="生成")).block.em < 0.9 * size


def test_the_em_rule_takes_the_font_size() -> None:
    layout = overlay.plan(1000, 1000, OverlayStyle(height_rule="em"))
    assert 50 <= layout.block.em <= 52
    assert layout.block.ink_height < 40


def test_small_pictures_get_letters_one_can_read() -> None:
    layout = overlay.plan(64, 64, OverlayStyle())
    assert (layout.required_height, layout.block.ink_height) == (4, LEGIBLE_INK)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (16, 16), (5000, 7)])
def test_no_room_is_said(size: tuple[int, int]) -> None:
    with pytest.raises(LabelError, match="does not fit"):
        overlay.plan(*size, OverlayStyle())


@pytest.mark.parametrize(
    ("size", "text", "ratio", "lines"),
    [
        ((1000, 1000), "AI生成 AI GENERATED", 0.05, ("AI生成 AI GENERATED",)),
        ((1000, 1000), "AI生成 AI GENERATED", 0.09, ("AI生成", "AI GENERATED")),
        ((1000, 1000), "AI GENERATED", 0.1, ("AI", "GENERATED")),
        ((1000, 1000), "人工智能生成合成", 0.15, ("人工智能", "生成合成")),
        ((28, 400), "AI生成", 0.05, ("AI", "生成")),
        ((20, 400), "AI生成", 0.05, ("AI", "生", "成")),
        ((8000, 1000), "AI GENERATED", 0.15, ("AI GENERATED",)),
    ],
)
def test_wrapping(size: tuple[int, int], text: str, ratio: float, lines: tuple[str, ...]) -> None:
    assert overlay.plan(*size, OverlayStyle(text=text, height_ratio=ratio)).text_lines == lines


def test_words_are_not_split() -> None:
    with pytest.raises(LabelError, match="does not fit"):
        overlay.plan(1000, 1000, OverlayStyle(text="AI GENERATED", height_ratio=0.3))


# ---------------------------------------------------------------- painting


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 99),
    channels=st.sampled_from([1, 3, 4]),
    deep=st.booleans(),
    clear=st.booleans(),
    look=st.sampled_from(STYLES),
)
def test_only_the_box_changes(seed: int, channels: int, deep: bool, clear: bool, look: str) -> None:
    rng = np.random.default_rng(seed)
    kind = np.uint16 if deep else np.uint8
    top = np.iinfo(kind).max
    frame = rng.integers(0, top, (90, 130, channels), dtype=kind, endpoint=True)
    alpha = rng.integers(0, top, (90, 130), dtype=kind, endpoint=True) if clear else None
    before = frame.copy(), None if alpha is None else alpha.copy()
    space = {1: "gray", 3: "rgb", 4: "cmyk"}[channels]
    drawn = overlay.draw(frame, alpha, OverlayStyle(style=look), space=space)
    assert (frame == before[0]).all()
    assert drawn.frame.dtype == kind
    x0, y0, x1, y1 = drawn.box
    outside = np.ones((90, 130), bool)
    outside[y0:y1, x0:x1] = False
    assert (drawn.frame[outside] == frame[outside]).all()
    if alpha is not None and drawn.alpha is not None:
        assert (alpha == before[1]).all()
        assert (drawn.alpha[outside] == alpha[outside]).all()
        layout = overlay.plan(130, 90, OverlayStyle(style=look))
        assert (drawn.alpha[y0:y1, x0:x1][layout.shade == 255] == top).all()
        untouched = layout.shade == 0
        assert (drawn.frame[y0:y1, x0:x1][untouched] == frame[y0:y1, x0:x1][untouched]).all()


GROUNDS = {
    "white": np.full((400, 400, 3), 255, np.uint8),
    "black": np.zeros((400, 400, 3), np.uint8),
    "gray": np.full((400, 400, 3), 128, np.uint8),
    "yellow": np.full((400, 400, 3), (255, 255, 0), np.uint8),
    "noise": np.random.default_rng(1).integers(0, 256, (400, 400, 3), dtype=np.uint8),
    "checkerboard": np.repeat(
        (np.indices((400, 400)).sum(0) // 3 % 2 * 255).astype(np.uint8)[..., None], 3, 2
    ),
}


@pytest.mark.parametrize("look", STYLES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_contrast_on_any_ground(ground: str, look: str) -> None:
    for side in (64, 400):
        frame = np.ascontiguousarray(GROUNDS[ground][:side, :side])
        style = OverlayStyle(style=look, opacity=LEAST_OPACITY)
        drawn = overlay.draw(frame, None, style)
        assert drawn.contrast >= 4.5
        gray = overlay.draw(frame[..., :1], None, style, space="gray")
        assert gray.contrast >= 4.5


@pytest.mark.parametrize("look", STYLES)
def test_cmyk_is_white_paper_and_black_ink(look: str) -> None:
    frame = np.random.default_rng(2).integers(0, 256, (300, 300, 4), dtype=np.uint8)
    style = OverlayStyle(style=look, opacity=1)
    drawn = overlay.draw(frame, None, style, space="cmyk")
    layout = overlay.plan(300, 300, style)
    x0, y0, x1, y1 = drawn.box
    label = drawn.frame[y0:y1, x0:x1]
    assert (label[(layout.ink == 255)] == 0).all()
    dark = (layout.ink == 0) & (layout.shade == 255)
    assert (label[dark] == (0, 0, 0, 255)).all()
    assert drawn.contrast >= 4.5


def test_sixteen_bits_is_the_same_picture() -> None:
    frame = scene(200, 300)
    deep = overlay.draw(frame.astype(np.uint16) * 257, None, OverlayStyle())
    flat = overlay.draw(frame, None, OverlayStyle())
    assert np.abs(deep.frame / 257 - flat.frame).max() <= 0.51


def test_colours_hidden_under_transparency_do_not_shine_through() -> None:
    clear = np.zeros((200, 200), np.uint8)
    style = OverlayStyle(style="pill")
    one = overlay.draw(np.full((200, 200, 3), 255, np.uint8), clear, style)
    two = overlay.draw(np.zeros((200, 200, 3), np.uint8), clear, style)
    shown = one.alpha > 0
    assert (one.frame[shown] == two.frame[shown]).all()
    assert (one.frame[one.alpha == 255].max(), one.frame[one.alpha == 255].min()) == (255, 0)


def test_one_layout_serves_every_frame_and_only_its_size() -> None:
    layout = overlay.plan(300, 200, OverlayStyle())
    assert overlay.plan(300, 200, OverlayStyle()) is layout
    with pytest.raises(LabelError, match="300×200"):
        layout.paint(np.zeros((300, 200, 3), np.uint8))


def test_threads_draw_the_same() -> None:
    frame = scene(240, 320)
    styles = [OverlayStyle(text=text, style=look) for text in overlay.TEXTS for look in STYLES]
    alone = [overlay.draw(frame, None, style).frame for style in styles]
    for cached in (overlay.plan, typeset._typeset, typeset._heights, typeset.advance):
        cached.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda style: overlay.draw(frame, None, style).frame, styles))
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("look", STYLES)
@pytest.mark.parametrize("text", overlay.TEXTS)
def test_reads_what_it_drew(text: str, look: str) -> None:
    for number, position in enumerate(Position):
        frame = scene(600 - 13 * number, 540 + 37 * number, number)
        style = OverlayStyle(text=text, position=position, style=look)
        drawn = overlay.draw(frame, None, style)
        found = overlay.find(drawn.frame)
        assert (found.status, found.payload, found.where) == (Status.PRESENT, text, position)
        assert found.statistic > 0.8
        layout = overlay.plan(frame.shape[1], frame.shape[0], style)
        assert found.facts["box"] == layout.text_box
        assert found.facts["ink_height"] == drawn.ink_height >= found.facts["required_height"]
        assert found.facts["on_edge"]
        assert found.facts["contrast"] > 4.5
        assert found.facts["elements"] == overlay.elements(text)


@pytest.mark.parametrize("factor", [0.5, 0.61, 0.7, 0.83, 1.0, 1.37, 2.0])
def test_survives_resizing_and_jpeg_50(factor: float) -> None:
    for number, text in enumerate(overlay.TEXTS):
        position = list(Position)[number % 8]
        style = OverlayStyle(text=text, position=position, style=STYLES[number % 2])
        drawn = overlay.draw(scene(500, 640, number), None, style)
        found = overlay.find(jpeg(resized(drawn.frame, factor), 50))
        assert (found.status, found.payload, found.where) == (Status.PRESENT, text, position)
        assert found.facts["ink_height"] == pytest.approx(25 * factor, rel=0.04, abs=1)


@pytest.mark.parametrize("side", [48, 64, 100, 150])
def test_reads_small_pictures(side: int) -> None:
    for look in STYLES:
        drawn = overlay.draw(scene(side, side), None, OverlayStyle(style=look))
        assert overlay.find(drawn.frame).payload == "AI生成"
        assert overlay.find(jpeg(drawn.frame, 75)).payload == "AI生成"


def test_reads_other_kinds_of_frame() -> None:
    frame = scene(400, 400)
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    cmyk = np.asarray(Image.fromarray(frame).convert("CMYK"))
    clear = np.zeros((400, 400), np.uint8)
    for pixels, alpha, space in (
        (gray, None, "gray"), (gray[..., None], None, "gray"), (cmyk, None, "cmyk"),
        (frame.astype(np.uint16) * 257, None, "rgb"), (frame, clear, "rgb"),
    ):  # fmt: skip
        drawn = overlay.draw(pixels, alpha, OverlayStyle(), space=space)
        found = overlay.find(drawn.frame, alpha=drawn.alpha, space=space)
        assert found.status is Status.PRESENT
        assert found.facts["contrast"] > 4.5


def test_a_label_nobody_can_see_is_not_there() -> None:
    drawn = overlay.draw(scene(400, 400), None, OverlayStyle())
    found = overlay.find(drawn.frame, alpha=np.zeros((400, 400), np.uint8))
    assert found.status is Status.ABSENT


def test_reads_a_house_style() -> None:
    style = OverlayStyle(
        text="本图由AI生成", position="top", height_ratio=0.08, margin_ratio=0.06, style="pill"
    )
    drawn = overlay.draw(scene(700, 500), None, style)
    assert overlay.find(drawn.frame).payload is None
    found = overlay.find(jpeg(drawn.frame, 60), also=style)
    assert (found.payload, found.where) == ("本图由AI生成", "top")
    assert found.facts["ink_height"] == drawn.ink_height


@pytest.mark.skipif(not Path(SYSTEM_FONT).exists(), reason="needs Noto Sans CJK")
@pytest.mark.parametrize("look", STYLES)
def test_other_words_in_the_same_place_are_not_the_label(look: str) -> None:
    words = (
        "AI", "AI绘图", "AI合影", "AI生存", "人工智能生产", "AI MODELLED", "AI GENERATOR",
        "生成", "AI艺术生成", "A生成", "AL GENERATED",
    )  # fmt: skip
    for text in words:
        style = OverlayStyle(text=text, style=look, font=SYSTEM_FONT)
        drawn = overlay.draw(scene(500, 700), None, style)
        assert overlay.find(drawn.frame).status is not Status.PRESENT, text


def unlabelled() -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    y, x = np.indices((480, 640))
    flat = [
        np.full((480, 640), 200), np.zeros((480, 640)), x / 640 * 255, (x // 8 % 2) * 255,
        (y // 5 % 2) * 255, ((x + y) // 3 % 2) * 255, ((x // 20 + y // 20) % 2) * 255,
        rng.integers(0, 256, (480, 640)), 127 + 127 * np.sin(x * y / 900),
    ]  # fmt: skip
    pictures = [np.repeat(one.astype(np.uint8)[..., None], 3, 2) for one in flat]
    pictures += [scene(480 - 31 * seed, 400 + 57 * seed, seed) for seed in range(8)]
    page = np.full((480, 640, 3), 20, np.uint8)
    for line in range(24):
        cv2.putText(
            page, "AI generated HTML, edited by hand 0123", (5, 18 + 20 * line),
            cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255,) * 3, 2, cv2.LINE_AA,
        )  # fmt: skip
    return [*pictures, page]


def test_finds_nothing_where_nothing_is() -> None:
    for frame in unlabelled():
        found = overlay.find(frame)
        assert found.status is Status.ABSENT
        assert "other tools" in found.detail


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (3000, 2), (7, 7), (40, 20000)])
def test_reads_any_shape(size: tuple[int, int]) -> None:
    assert overlay.find(np.zeros((*size, 3), np.uint8)).status is Status.ABSENT


PHOTOS = sorted(SHARED.glob("img*.[jpw]*")) + sorted(SHARED.glob("ai0*"))


@pytest.mark.skipif(not PHOTOS, reason="needs ../shared/media")
def test_real_pictures() -> None:
    """None of them is taken for labelled; labelled, all are read after JPEG 50 at half size."""
    for number, path in enumerate(PHOTOS):
        picture = Image.open(path)
        picture.draft("RGB", (1000, 1000))
        picture = picture.convert("RGB")
        picture.thumbnail((1000, 1000))
        frame = np.asarray(picture)
        assert overlay.find(frame).statistic < overlay.THRESHOLD / 2, path.name
        text = overlay.TEXTS[number % len(overlay.TEXTS)]
        style = OverlayStyle(
            text=text, position=list(Position)[number % 8], style=STYLES[number % 2]
        )
        if min(frame.shape[:2]) < 360:
            continue  # at half size its letters would be below 9 px
        drawn = overlay.draw(frame, None, style)
        assert drawn.contrast >= 4.5
        found = overlay.find(jpeg(resized(drawn.frame, 0.5), 50))
        assert found.payload == text, path.name
