"""California Bus. & Prof. Code § 22757.3 (SB 942, AB 853, SB 1000): the latent disclosure.

The final text of SB 1000 was not read, and the provisions apply "to the extent technically
feasible and reasonable": these rules warn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiglabel.rules.rule import Facts, Grade, Judged, Rule, Severity, bad, good, unknown
from aiglabel.rules.signed import signature_holds


def _conveyed(
    find: Callable[[Facts, Mapping[str, Any]], str | None], en: str, zh: str
) -> Callable[[Facts], Judged]:
    """Return a judge that wants `find` to find something, in credentials or elsewhere."""

    def judge(facts: Facts) -> Judged:
        value = find(facts, facts.mark("credentials").facts)
        if value:
            return good(f"The {en}: {value}.", f"{zh}：{value}。")
        if signature_holds(facts) is None:
            return unknown(f"The {en} was not found; credentials were not checked.",
                           f"未发现{zh}；未检测凭证。")  # fmt: skip
        return bad(f"The {en} is not conveyed.", f"未载明{zh}。")

    return judge


def _aigc(facts: Facts, name: str) -> str | None:
    fields = facts.mark("aigc").facts.get("fields") or {}
    value: str | None = fields.get(name)
    return value


def _provider(facts: Facts, credentials: Mapping[str, Any]) -> str | None:
    return credentials.get("issuer") or _aigc(facts, "ContentProducer")


def _system(_: Facts, credentials: Mapping[str, Any]) -> str | None:
    agent = credentials.get("software_agent") or {}
    name, version = agent.get("name"), agent.get("version")
    return f"{name} {version}" if name and version else None


def _time(_: Facts, credentials: Mapping[str, Any]) -> str | None:
    return credentials.get("when") or credentials.get("time")


def _identifier(facts: Facts, credentials: Mapping[str, Any]) -> str | None:
    return credentials.get("manifest_label") or _aigc(facts, "ProduceID")


def _created_or_altered(_: Facts, credentials: Mapping[str, Any]) -> str | None:
    declared = credentials.get("ai_declared") or []
    return next((str(one["source_type"]) for one in declared if one.get("source_type")), None)


def _standard(facts: Facts) -> Judged:
    holds = signature_holds(facts)
    if holds is None:
        return unknown("C2PA credentials were not checked.", "未检测 C2PA 凭证。")
    if holds:
        return good("C2PA credentials are there and hold.", "C2PA 凭证存在且有效。")
    return bad("There are no C2PA credentials that hold.", "没有有效的 C2PA 凭证。")


def _lasting(facts: Facts) -> Judged:
    present = facts.present("watermark")
    if present is None:
        return unknown("The watermark was not looked for, or not surely found.",
                       "未检测水印，或无法确定。")  # fmt: skip
    if present:
        return good("A watermark outlasts the metadata.", "水印在元数据丢失后仍可检测。")
    return bad("Without a watermark the disclosure is lost with the metadata.",
               "没有水印，元数据丢失后披露即丢失。")  # fmt: skip


_LATENT = "Cal. Bus. & Prof. Code § 22757.3 (latent disclosure)"


def _rule(rule_id: str, title_en: str, title_zh: str, judge: Callable[[Facts], Judged]) -> Rule:
    grade = Grade.BACKGROUND if rule_id == "CA-07" else Grade.SECONDARY
    return Rule(
        id=rule_id, clause=_LATENT, title_en=title_en, title_zh=title_zh, grade=grade,
        severity=Severity.WARNING, judge=judge,
    )  # fmt: skip


RULES = (
    _rule("CA-01", "The latent disclosure names the provider", "隐式披露载明服务提供者",
          _conveyed(_provider, "provider", "服务提供者")),
    _rule("CA-02", "It names the system and its version", "载明系统名称和版本",
          _conveyed(_system, "system and version", "系统名称和版本")),
    _rule("CA-03", "It gives date and time", "载明日期和时间",
          _conveyed(_time, "date and time", "日期和时间")),
    _rule("CA-04", "It gives a unique identifier", "载明唯一标识符",
          _conveyed(_identifier, "identifier", "唯一标识符")),
    _rule("CA-05", "It says whether the content was created or altered", "载明是生成还是修改",
          _conveyed(_created_or_altered, "source type", "来源类型")),
    _rule("CA-06", "It follows an accepted industry standard", "符合通行的行业标准", _standard),
    _rule("CA-07", "It is permanent or very hard to remove", "难以去除", _lasting),
)  # fmt: skip
