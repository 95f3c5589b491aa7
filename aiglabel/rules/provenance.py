"""What C2PA 2.2 and IPTC ask of their own statements."""

from __future__ import annotations

from aiglabel.evidence import Status
from aiglabel.marks.source_types import source_type
from aiglabel.rules.rule import (
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

_ACTION_FAULTS = ("assertion.action.malformed", "assertion.action.ingredientMismatch")
_SOFT_BINDING_FAULT = "assertion.action.softBindingMissing"
_HARD_BINDING_FAULTS = (
    "assertion.dataHash.mismatch", "assertion.boxesHash.mismatch", "assertion.bmffHash.mismatch",
    "assertion.multipleHardBindings", "claim.hardBindings.missing",
)  # fmt: skip


def _hard_binding(facts: Facts) -> Judged:
    if not facts.mark("credentials").facts.get("state"):
        return _no_credentials()
    if wrong := [code for code in _codes(facts) if code in _HARD_BINDING_FAULTS]:
        listed = ", ".join(wrong)
        return bad(f"The credentials belong to other bytes than these: {listed}.",
                   f"凭证与文件内容不符：{listed}。")  # fmt: skip
    return good("The credentials are bound to these bytes.", "凭证与文件内容相符。")


def _intact(facts: Facts) -> Judged:
    credentials = facts.mark("credentials")
    if credentials.status in (Status.NOT_CHECKED, Status.UNDETERMINED):
        return unknown("C2PA credentials were not checked.", "未检测 C2PA 凭证。")
    # A certificate that has run out since is no sign of a change.
    lapsed = credentials.facts.get("causes") == ["signingCredential.expired"]
    if credentials.status is not Status.INVALID or lapsed:
        return good("No broken C2PA credentials are in the file.", "文件中没有失效的 C2PA 凭证。")
    return bad("The C2PA credentials are broken: the file was changed after signing, or they are "
               "forged.", "C2PA 凭证无效：文件在签名后被改动，或凭证系伪造。")  # fmt: skip


def _actions(facts: Facts) -> Judged:
    if not facts.mark("credentials").facts.get("state"):
        return _no_credentials()
    if wrong := [code for code in _codes(facts) if code in _ACTION_FAULTS]:
        listed = ", ".join(wrong)
        return bad(f"The actions are malformed: {listed}.", f"动作声明有误：{listed}。")
    return good("The actions begin with created or opened.", "动作以创建或打开开始。")


def _declared_types(facts: Facts) -> Judged:
    declared = facts.mark("credentials").facts.get("ai_declared") or []
    values = [str(one["source_type"]) for one in declared if one.get("source_type")]
    if not values:
        return unknown("The credentials state no AI source type.", "凭证未声明 AI 来源类型。")
    wrong = [f"{value} {problem}" for value in values if (problem := source_type(value).problem)]
    if wrong:
        listed = "; ".join(wrong)
        return bad(f"Digital source type: {listed}.", f"数字来源类型有误：{listed}。")
    return good("Digital source types are full vocabulary URIs.", "数字来源类型为词表完整 URI。")


def _soft_binding(facts: Facts) -> Judged:
    if not facts.mark("credentials").facts.get("state"):
        return _no_credentials()
    if _SOFT_BINDING_FAULT in _codes(facts):
        return bad("A watermark is declared without its soft binding.",
                   "声明了水印但缺少软绑定。")  # fmt: skip
    return good("No declared watermark lacks its soft binding.", "声明的水印均有软绑定。")


def _iptc_states_ai(facts: Facts) -> Judged:
    present = facts.present("iptc")
    if present is None:
        return unknown("IPTC metadata were not read.", "未读取 IPTC 元数据。")
    if not present:
        return bad("IPTC metadata do not say that AI was used.", "IPTC 元数据未声明使用 AI。")
    return good("IPTC metadata say that AI was used.", "IPTC 元数据声明使用了 AI。")


def _iptc_form(facts: Facts) -> Judged:
    iptc = facts.mark("iptc")
    if problems := iptc.facts.get("problems"):
        listed = "; ".join(problems)
        return bad(f"IPTC: {listed}.", f"IPTC 元数据有误：{listed}。")
    if not iptc.facts.get("source_types"):
        return unknown("There is no digital source type.", "没有数字来源类型。")
    return good("The digital source type is a full vocabulary URI.", "数字来源类型为词表完整 URI。")


def _codes(facts: Facts) -> list[str]:
    return [str(code) for code in facts.mark("credentials").facts.get("codes") or ()]


def _no_credentials() -> Judged:
    return unknown("There are no C2PA credentials to judge.", "没有可检查的 C2PA 凭证。")


_IPTC = "IPTC Photo Metadata 2025.1"

RULES = (
    Rule(
        id="C2-01", clause="C2PA 2.2, actions", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="The first action is created or opened", title_zh="首个动作为创建或打开",
        judge=_actions,
    ),
    Rule(
        id="C2-03", clause="C2PA 2.2, actions", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="Digital source types are full URIs of the vocabulary",
        title_zh="数字来源类型为词表完整 URI", judge=_declared_types,
    ),
    Rule(
        id="C2-04", clause="C2PA 2.2, soft bindings", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="A declared watermark has its soft binding", title_zh="声明的水印有软绑定",
        judge=_soft_binding,
    ),
    Rule(
        id="C2-08", clause="C2PA 2.2, hard binding", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="Credentials are bound to the bytes of the file", title_zh="凭证与文件内容绑定",
        judge=_hard_binding,
    ),
    Rule(
        id="C2-11", clause="C2PA 2.2, validation", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="Credentials, where there are any, are intact", title_zh="内容凭证如存在则完好",
        judge=_intact,
    ),
    Rule(
        id="IPTC-01", clause=_IPTC, grade=Grade.PRIMARY, severity=Severity.WARNING,
        title_en="Metadata say that AI was used", title_zh="元数据声明使用了 AI",
        judge=_iptc_states_ai, media=PICTURES,
    ),
    Rule(
        id="IPTC-02", clause=_IPTC, grade=Grade.PRIMARY, severity=Severity.WARNING,
        title_en="One digital source type, a full URI of the vocabulary",
        title_zh="仅一个数字来源类型，且为词表完整 URI", judge=_iptc_form, media=PICTURES,
    ),
)  # fmt: skip
