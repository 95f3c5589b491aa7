"""GB 45438-2025 chapter 5.2: the visible label of pictures, and what films share with them."""

from __future__ import annotations

import math
from collections.abc import Callable

from aiglabel.evidence import Evidence, Status
from aiglabel.rules.rule import (
    FILMS,
    PICTURES,
    Facts,
    Grade,
    Judged,
    Rule,
    Severity,
    bad,
    good,
    unknown,
)

HEIGHT_RATIO = 0.05
CONTRAST = 3.0


def required_height(width: int, height: int, ratio: float) -> int:
    """Return the least text height in pixels: `ratio` of the shorter side, rounded up."""
    return math.ceil(round(ratio * min(width, height), 6))


def of_label(judge: Callable[[Facts, Evidence], Judged]) -> Callable[[Facts], Judged]:
    """Ask only where a label was found; that one is missing is for CN-I-01 and CN-V-01 to say."""

    def asked(facts: Facts) -> Judged:
        overlay = facts.mark("overlay")
        if overlay.status is not Status.PRESENT:
            return unknown("No visible label was found to measure.", "未发现可测量的显式标识。")
        return judge(facts, overlay)

    return asked


def _prompt(facts: Facts) -> Judged:
    present = facts.present("overlay")
    if present is None:
        return unknown("The visible label was not looked for, or not surely found.",
                       "未检测显式标识，或无法确定。")  # fmt: skip
    if not present:
        return bad("The picture carries no visible text label.", "图片中没有文字显式标识。")
    return good("The picture carries a visible text label.", "图片中有文字显式标识。")


def _elements(_: Facts, overlay: Evidence) -> Judged:
    elements = overlay.facts.get("elements")
    if not elements:
        return unknown("The text of the label was not read.", "未能读出标识文字。")
    missing = [name for name in ("ai", "generation") if not elements.get(name)]
    text = overlay.facts.get("text") or ""
    if missing:
        lacking = {"ai": "人工智能 or AI", "generation": "生成 or 合成"}
        zh = {"ai": "“人工智能”或“AI”", "generation": "“生成”或“合成”"}
        return bad(f"The label {text!r} lacks {' and '.join(lacking[n] for n in missing)}.",
                   f"标识文字“{text}”缺少{'、'.join(zh[n] for n in missing)}。")  # fmt: skip
    return good(f"The label {text!r} names AI and generation.",
                f"标识文字“{text}”含人工智能要素和生成合成要素。")  # fmt: skip


def _place(_: Facts, overlay: Evidence) -> Judged:
    on_edge = overlay.facts.get("on_edge")
    if on_edge is None:
        return unknown("The place of the label is not known.", "标识位置未知。")
    if on_edge:
        return good("The label stands on an edge or in a corner.", "标识位于图片的边或角。")
    return bad("The label stands neither on an edge nor in a corner.", "标识不在图片的边或角。")


def _contrast(facts: Facts, overlay: Evidence) -> Judged:
    contrast, floor = overlay.facts.get("contrast"), facts.thresholds.get("contrast", CONTRAST)
    if contrast is None:
        return unknown("The contrast of the label was not measured.", "未测量标识对比度。")
    numbers = f"{contrast:.1f}:1 ({floor:.1f}:1)"
    if contrast >= floor:
        return good(f"Contrast of the label {numbers}.", f"标识对比度 {numbers}。")
    return bad(f"The label is hard to read: contrast {numbers}.",
               f"标识不够清晰：对比度 {numbers}。")  # fmt: skip


def high_enough(facts: Facts, overlay: Evidence) -> Judged:
    """Compare the letters with the shorter side."""
    ink = overlay.facts.get("ink_height")
    width, height = facts.media.get("width"), facts.media.get("height")
    if ink is None or width is None or height is None:
        return unknown("The height of the label was not measured.", "未测量标识文字高度。")
    ratio = facts.thresholds.get("height_ratio", HEIGHT_RATIO)
    least = required_height(width, height, ratio)
    if ink >= least:
        return good(f"The letters are {ink:g} px high, at least {least} px.",
                    f"文字高度 {ink:g} 像素，不低于 {least} 像素。")  # fmt: skip
    return bad(f"The letters are {ink:g} px high; {ratio:.0%} of the shorter side is {least} px.",
               f"文字高度 {ink:g} 像素，低于最短边的 {ratio:.0%}（{least} 像素）。")  # fmt: skip


RULES = (
    Rule(
        id="CN-X-01", clause="GB 45438-2025 5.2, 5.4", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="The label names AI (人工智能 or AI) and generation (生成 or 合成)",
        title_zh="标识文字同时含人工智能要素和生成合成要素", judge=of_label(_elements),
        media=PICTURES | FILMS,
    ),
    Rule(
        id="CN-I-01", clause="GB 45438-2025 5.2; Labeling Measures Art. 4(3)",
        grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="A picture carries a text label; an icon alone does not count",
        title_zh="图片采用文字提示", judge=_prompt, media=PICTURES,
    ),
    Rule(
        id="CN-I-02", clause="GB 45438-2025 5.2", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="The label stands on an edge or in a corner",
        title_zh="标识位于图片的边或角", judge=of_label(_place), media=PICTURES,
    ),
    Rule(
        # The standard gives no number: the floor of contrast is ours, so it only warns. Of films
        # the Measures say that the label is prominent.
        id="CN-I-03", clause="GB 45438-2025 5.2; Labeling Measures Art. 4(3), 4(4)",
        grade=Grade.PRIMARY, severity=Severity.WARNING, judge=of_label(_contrast),
        title_en="The letters are legible", title_zh="字型清晰可辨", media=PICTURES | FILMS,
    ),
    Rule(
        id="CN-I-04", clause="GB 45438-2025 5.2", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="The letters are at least 5 % of the shorter side high",
        title_zh="文字高度不低于图片最短边的 5%", judge=of_label(high_enough), media=PICTURES,
    ),
)  # fmt: skip
