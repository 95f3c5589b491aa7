"""GB 45438-2025 chapter 5.4: the visible label of films.

What is known of 5.4 names the starting frame, the time and the height (and, as of every text label,
its two elements). It names no edge or corner, so a film is not judged by CN-I-02.
"""

from __future__ import annotations

from aiglabel.evidence import Evidence, Status
from aiglabel.rules.china_explicit import high_enough, of_label
from aiglabel.rules.rule import (
    FILMS,
    Facts,
    Grade,
    Judged,
    Rule,
    Severity,
    bad,
    good,
    unknown,
)

FILM_SECONDS = 2.0

_TICK = 0.001
"""Files tell times in ticks, the coarsest usual ones of a millisecond."""
_END = 0.1
"""By how much a file may be longer than its pictures: the last frame, the padding of the sound."""


def _start(facts: Facts) -> Judged:
    overlay = facts.mark("overlay")
    if overlay.status is Status.ABSENT:
        return bad("The film carries no visible text label.", "视频中没有文字显式标识。")
    first = overlay.facts.get("first_frame")
    if overlay.status is not Status.PRESENT or first is None:
        return unknown("The visible label was not looked for in the first frame, or not surely "
                       "found.", "未检测起始画面的显式标识，或无法确定。")  # fmt: skip
    if first:
        return good("The starting frame carries a visible text label.", "起始画面有文字显式标识。")
    return bad("The film carries a visible text label, but not on its starting frame.",
               "视频中有文字显式标识，但起始画面没有。")  # fmt: skip


def _time(facts: Facts, overlay: Evidence) -> Judged:
    shown, watched = overlay.facts.get("shown_s"), overlay.facts.get("watched_s")
    if shown is None or watched is None:
        return unknown("How long the label is shown was not measured.", "未测量标识持续时间。")
    least = facts.thresholds.get("film_seconds", FILM_SECONDS)
    if shown >= least - _TICK:
        return good(f"The label is shown for at least {least:g} s from the start.",
                    f"标识自起始画面起持续不少于 {least:g} 秒。")  # fmt: skip
    if shown < watched - _TICK:
        return bad(f"From the start the label is shown for {shown:.2f} s only, not {least:g} s.",
                   f"标识自起始画面起仅持续 {shown:.2f} 秒，不足 {least:g} 秒。")  # fmt: skip
    seconds, rate = facts.media.get("seconds"), facts.media.get("rate")
    if seconds is not None and watched >= seconds - max(_END, 1.0 / rate if rate else 0.0):
        return good(f"The film is shorter than {least:g} s and shows the label throughout.",
                    f"视频短于 {least:g} 秒，全程显示标识。")  # fmt: skip
    return unknown(f"The label is shown for as long as was watched, {watched:.2f} s.",
                   f"已检测的 {watched:.2f} 秒内均有标识，其后未检测。")  # fmt: skip


RULES = (
    Rule(
        id="CN-V-01", clause="GB 45438-2025 5.4; Labeling Measures Art. 4(4)",
        grade=Grade.PRIMARY, severity=Severity.ERROR, judge=_start, media=FILMS,
        title_en="The starting frame of a film carries a text label; an icon alone does not count",
        title_zh="视频起始画面采用文字提示",
    ),
    Rule(
        id="CN-V-02", clause="GB 45438-2025 5.4", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="The label is shown for at least 2 s at normal speed, or in all of a shorter film",
        title_zh="正常播放速度下标识持续不少于 2 秒，更短的视频全程显示",
        judge=of_label(_time), media=FILMS,
    ),
    Rule(
        id="CN-V-03", clause="GB 45438-2025 5.4", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="The letters are at least 5 % of the shortest side of the shown picture high",
        title_zh="文字高度不低于画面最短边的 5%", judge=of_label(high_enough), media=FILMS,
    ),
)  # fmt: skip
