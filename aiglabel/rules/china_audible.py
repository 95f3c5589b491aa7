"""GB 45438-2025 chapter 5.3: the audible label of sounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiglabel.evidence import Status
from aiglabel.marks.audible.voices import SPEAKING_RATE
from aiglabel.marks.overlay.wording import elements
from aiglabel.rules.rule import (
    SOUNDS,
    Facts,
    Grade,
    Judged,
    Rule,
    Severity,
    bad,
    good,
    unknown,
)

# Amplitude, over that of the others, under which a mark of a rhythm would be missed.
_EVEN = 0.25
_PLACES = {"start": "开头", "middle": "中间", "end": "结尾"}


def _heard(facts: Facts, kind: str) -> list[Mapping[str, Any]]:
    """Return what was heard of one kind, ``rhythms`` or ``voices``."""
    return list(facts.mark("audible").facts.get(kind) or ())


def _label(facts: Facts) -> Judged:
    label = facts.mark("audible")
    if label.status is Status.PRESENT:
        return good("The sound carries an audible label.", "音频中有语音标识或节奏标识。")
    if label.status is not Status.ABSENT:
        return unknown("The audible label was not listened for.", "未检测音频显式标识。")
    if label.facts.get("listened") == "ends":
        return unknown("No audible label was heard at the start and the end; the middle was not "
                       "listened to.", "开头和结尾未听到音频标识；中间部分未检测。")  # fmt: skip
    return bad("No rhythm label and no known spoken label was heard.",
               "未听到节奏标识或已知的语音标识。")  # fmt: skip


def _voice(facts: Facts) -> Judged:
    voices = _heard(facts, "voices")
    if not voices and _heard(facts, "rhythms"):
        return good("A rhythm label serves instead of a spoken one.", "已用节奏标识代替语音标识。")
    if not voices:
        return unknown("No known spoken label was heard.", "未听到已知的语音标识。")
    for one in voices:
        found = elements(one["text"])
        if not all(found.values()):
            return bad(f"The spoken label {one['text']!r} does not name both AI and generation.",
                       f"语音标识“{one['text']}”未同时含人工智能要素和生成合成要素。",
                       severity=Severity.ERROR)  # fmt: skip
    low, high = SPEAKING_RATE
    rates = [one["speaking_rate"] for one in voices if one.get("speaking_rate")]
    # What was played a little faster or slower is still spoken at normal speed.
    wrong = [rate for rate in rates if not low / 1.02 <= rate <= high * 1.02]
    if wrong:
        return bad(f"It is spoken at {wrong[0]:.0f} characters a minute, not {low:.0f} to "
                   f"{high:.0f}.",
                   f"语速每分钟 {wrong[0]:.0f} 字，不在 {low:.0f} 至 {high:.0f} 字之间。",
                   severity=Severity.WARNING)  # fmt: skip
    return good(f"A spoken label says {voices[0]['text']!r} at normal speed.",
                f"语音标识“{voices[0]['text']}”语速正常。")  # fmt: skip


def _rhythm(facts: Facts) -> Judged:
    rhythms = _heard(facts, "rhythms")
    if not rhythms and _heard(facts, "voices"):
        return good("A spoken label serves instead of a rhythm.", "已用语音标识代替节奏标识。")
    if not rhythms:
        return unknown("No rhythm label was heard.", "未听到节奏标识。")
    unit, marks = rhythms[0]["unit"], rhythms[0]["marks"]
    if min(marks) < _EVEN:
        return bad("The marks of the rhythm are very uneven.", "节奏各音强弱相差过大。")
    return good(f"The rhythm is short long, short short, with a short of {unit:.2f} s.",
                f"节奏为短长短短，短音 {unit:.2f} 秒。")  # fmt: skip


def _place(facts: Facts) -> Judged:
    places = facts.mark("audible").facts.get("places") or ()
    if not places:
        return unknown("No audible label was heard whose place could be told.",
                       "未听到可定位的音频标识。")  # fmt: skip
    return good(f"The label stands at: {', '.join(places)}.",
                f"标识位于：{'、'.join(_PLACES[one] for one in places)}。")  # fmt: skip


def _turns(_: Facts) -> Judged:
    return unknown("Whether this is one turn of a conversation cannot be told from the file.",
                   "无法从文件判断是否为频繁交互中的一轮。")  # fmt: skip


RULES = (
    Rule(
        id="CN-A-01", clause="GB 45438-2025 5.3 a); Labeling Measures Art. 4(2)",
        grade=Grade.PRIMARY, severity=Severity.ERROR, judge=_label, media=SOUNDS,
        title_en="A sound carries a spoken label or a rhythm label",
        title_zh="音频采用语音标识或节奏标识",
    ),
    Rule(
        id="CN-A-02", clause="GB 45438-2025 5.3 b), e), note 4", grade=Grade.PRIMARY,
        severity=Severity.WARNING, judge=_voice, media=SOUNDS,
        title_en="A spoken label names AI and generation, at 120 to 160 characters a minute",
        title_zh="语音标识同时含两类要素，语速正常（每分钟约 120–160 字）",
    ),
    Rule(
        id="CN-A-03", clause="GB 45438-2025 5.3 c)", grade=Grade.PRIMARY,
        severity=Severity.WARNING, judge=_rhythm, media=SOUNDS,
        title_en="A rhythm label is short long, short short", title_zh="节奏标识为“短长 短短”",
    ),
    Rule(
        id="CN-A-04", clause="GB 45438-2025 5.3 d)", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="The label stands at the start, the end or a suitable place in the middle",
        title_zh="标识位于开头、结尾或中间适当位置", judge=_place, media=SOUNDS,
    ),
    Rule(
        id="CN-A-05", clause="GB 45438-2025 5.3 note 3", grade=Grade.PRIMARY,
        severity=Severity.WARNING, judge=_turns, media=SOUNDS,
        title_en="In frequent interaction, start and end are those of each turn",
        title_zh="频繁交互场景中，开头和结尾指每轮交互的开头和结尾",
    ),
)  # fmt: skip
