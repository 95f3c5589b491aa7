"""GB 45438-2025 6.1 and Annex E: the label in the file's metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiglabel.evidence import Evidence, Status
from aiglabel.marks import aigc
from aiglabel.marks.aigc_code import Role, code_problems, meant_as_code, service_type_fits
from aiglabel.marks.aigc_json import MANDATORY
from aiglabel.rules.rule import Facts, Grade, Judged, Rule, Severity, bad, good, unknown

_ROLES: tuple[tuple[str, Role], ...] = (
    ("ContentProducer", "producer"),
    ("ContentPropagator", "propagator"),
)


def _of_label(judge: Callable[[Evidence], Judged]) -> Callable[[Facts], Judged]:
    """Ask only where a label was found; that one is missing is CN-M-01's to say."""

    def asked(facts: Facts) -> Judged:
        label = facts.mark("aigc")
        if not label.facts.get("labels"):
            return unknown("There is no AIGC label to judge.", "没有可检查的 AIGC 标识。")
        return judge(label)

    return asked


def _of_fields(judge: Callable[[Mapping[str, str]], Judged]) -> Callable[[Facts], Judged]:
    """Ask only where the seven values could be read; that they cannot is CN-M-03's to say."""

    def asked(label: Evidence) -> Judged:
        fields = label.facts.get("fields")
        if not fields:
            return unknown("The AIGC label cannot be decoded.", "AIGC 标识无法解析。")
        return judge(fields)

    return _of_label(asked)


def _problems(label: Evidence, *codes: str) -> list[Mapping[str, Any]]:
    found = [one for each in label.facts["labels"] for one in each["problems"]]
    return [one for one in found if one["code"] in codes]


def _listed(problems: list[Mapping[str, Any]]) -> str:
    return "; ".join(dict.fromkeys(one["text"] for one in problems[:6]))


def _clean(*codes: str, en: str, zh: str) -> Callable[[Facts], Judged]:
    """Return a judge that wants none of these problems; `en` and `zh` say what then holds."""

    def judge(label: Evidence) -> Judged:
        if found := _problems(label, *codes):
            return bad(
                f"In the AIGC label: {_listed(found)}.", f"AIGC 标识有误：{_listed(found)}。"
            )
        return good(en, zh)

    return _of_label(judge)


def _exists(facts: Facts) -> Judged:
    label = facts.mark("aigc")
    if label.status in (Status.NOT_CHECKED, Status.UNDETERMINED):
        return unknown("The AIGC label was not looked for.", "未检测 AIGC 标识。")
    if label.status is Status.ABSENT:
        return bad("The metadata hold no AIGC label.", "文件元数据中没有 AIGC 标识。")
    carriers = {one["carrier"] for one in label.facts.get("labels", ())}
    proper = label.facts.get("carrier", aigc.CARRIER)
    if proper not in carriers:
        where = ", ".join(sorted(carriers))
        return bad(f"The AIGC label is in {where} only, not in {proper}.",
                   f"AIGC 标识仅在 {where} 中，不在 {proper} 中。",
                   severity=Severity.WARNING)  # fmt: skip
    return good(f"The metadata hold an AIGC label in {proper}.",
                f"文件元数据的 {proper} 中有 AIGC 标识。")  # fmt: skip


def _single(label: Evidence) -> Judged:
    count = label.facts["count"]
    if count > 1:
        where = ", ".join(one["carrier"] for one in label.facts["labels"])
        return bad(f"The file holds {count} AIGC labels ({where}); one is allowed.",
                   f"文件中有 {count} 个 AIGC 标识（{where}），只允许一个。")  # fmt: skip
    return good("The file holds one AIGC label.", "文件中只有一个 AIGC 标识。")


def _keys(label: Evidence) -> Judged:
    wrong = _problems(label, "unknown_key", "key_case", "older_schema")
    if wrong:
        return bad(f"Keys of the AIGC label: {_listed(wrong)}.",
                   f"AIGC 标识的键名有误：{_listed(wrong)}。")  # fmt: skip
    if missing := _problems(label, "missing_key"):
        optional = all(one["field"] not in MANDATORY for one in missing)
        return bad(f"Keys of the AIGC label: {_listed(missing)}.",
                   f"AIGC 标识缺少键：{_listed(missing)}。",
                   severity=Severity.WARNING if optional else None)  # fmt: skip
    return good("The AIGC label has the keys of Annex E.", "AIGC 标识的键名符合附录 E。")


def _mandatory(fields: Mapping[str, str]) -> Judged:
    empty = [name for name in MANDATORY if not fields[name]]
    if not empty:
        return good("Label, ContentProducer and ProduceID are filled in.",
                    "Label、ContentProducer、ProduceID 均不为空。")  # fmt: skip
    # Whether a platform that knows no producer may leave its fields empty is not settled.
    severity = Severity.ERROR if fields["Label"] in ("", "1") else Severity.WARNING
    names = ", ".join(empty)
    return bad(f"Empty in the AIGC label: {names}.", f"AIGC 标识中为空：{names}。",
               severity=severity)  # fmt: skip


def _codes(fields: Mapping[str, str]) -> Judged:
    problems = [text for name, _ in _ROLES for text in code_problems(fields[name])]
    if problems:
        listed = "; ".join(problems)
        return bad(f"Provider code: {listed}.", f"服务提供者编码有误：{listed}。")
    names = [name for name, _ in _ROLES if fields[name] and not meant_as_code(fields[name])]
    if names:
        return good(f"{', '.join(names)} is a plain name, which is legal but cannot be checked.",
                    f"{'、'.join(names)} 为名称而非编码，符合标准但无法校验。")  # fmt: skip
    return good("The provider codes are well formed.", "服务提供者编码格式正确。")


def _service_types(fields: Mapping[str, str]) -> Judged:
    fits = {name: service_type_fits(fields[name], role) for name, role in _ROLES}
    wrong = [name for name, fit in fits.items() if fit is False]
    if wrong:
        listed = ", ".join(wrong)
        return bad(f"Position 23 of {listed} names another kind of service.",
                   f"{listed} 第 23 位的服务类型不符。")  # fmt: skip
    if all(fit is None for fit in fits.values()):
        return unknown("No provider code names its kind of service.", "没有可检查服务类型的编码。")
    return good("Position 23 of the provider codes fits.", "编码第 23 位服务类型相符。")


def _security(label: Evidence) -> Judged:
    result = label.facts["security"]["result"]
    detail = label.facts["security"]["detail"]
    if result == "failed":
        return bad(detail, "ReservedCode1 中的签名与标识不符。")
    if result == "verified":
        return good(detail, "ReservedCode1 中的签名验证通过（只证明完整性）。")
    if result == "absent":
        return good("The label carries no security data, which is optional.",
                    "标识未带安全防护数据（可选）。")  # fmt: skip
    return unknown(detail, "ReservedCode1 中的数据无法验证。")


_ANNEX_E = "GB 45438-2025 Annex E"
_CODE_GUIDE = "TC260-PG-20252A"

RULES = (
    Rule(
        id="CN-M-01",
        clause="GB 45438-2025 6.1; Labeling Measures Art. 5; TC260-PG-20257A, 20259A, 202510A",
        grade=Grade.PRIMARY, severity=Severity.ERROR, judge=_exists,
        title_en="The metadata hold a label under the key AIGC",
        title_zh="文件元数据中有键为 AIGC 的标识",
    ),
    Rule(
        id="CN-M-02", clause="GB 45438-2025 6.1 c)", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="The file holds one label only", title_zh="每个文件只有一个标识",
        judge=_of_label(_single),
    ),
    Rule(
        id="CN-M-03", clause=_ANNEX_E, grade=Grade.GUIDE, severity=Severity.ERROR,
        title_en="The value is one JSON object, no key twice, nothing after it",
        title_zh="标识值为单个 JSON 对象，无重复键、无多余数据",
        judge=_clean("not_json", "too_large", "duplicate_key", "trailing_data", "form",
                     en="The AIGC label is one JSON object.", zh="AIGC 标识为单个 JSON 对象。"),
    ),
    Rule(
        id="CN-M-04", clause=_ANNEX_E, grade=Grade.GUIDE, severity=Severity.ERROR,
        title_en="The object has exactly the seven keys", title_zh="恰好包含七个键",
        judge=_of_label(_keys),
    ),
    Rule(
        id="CN-M-05", clause=_ANNEX_E, grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="Every value is a string", title_zh="所有值均为字符串",
        judge=_clean("type", en="Every value is a string.", zh="所有值均为字符串。"),
    ),
    Rule(
        id="CN-M-06", clause=_ANNEX_E, grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="Label is 1, 2 or 3", title_zh="Label 取值为 1、2 或 3",
        judge=_clean("label_value", en="Label is 1, 2 or 3.", zh="Label 取值为 1、2 或 3。"),
    ),
    Rule(
        id="CN-M-07", clause="Labeling Measures Art. 5; " + _ANNEX_E, grade=Grade.PRIMARY,
        severity=Severity.ERROR, judge=_of_fields(_mandatory),
        title_en="Label, ContentProducer and ProduceID are not empty",
        title_zh="Label、ContentProducer、ProduceID 不为空",
    ),
    Rule(
        id="CN-M-08", clause=_ANNEX_E + " j)", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="Values hold only the characters Annex E allows",
        title_zh="值仅含附录 E 允许的字符",
        judge=_clean("charset", en="All characters are allowed ones.", zh="字符均在允许范围内。"),
    ),
    Rule(
        id="CN-M-09", clause=_CODE_GUIDE, grade=Grade.GUIDE, severity=Severity.WARNING,
        title_en="Provider codes are well formed, with the right check character",
        title_zh="服务提供者编码格式与校验位正确", judge=_of_fields(_codes),
    ),
    Rule(
        id="CN-M-10", clause=_CODE_GUIDE, grade=Grade.GUIDE, severity=Severity.WARNING,
        title_en="Position 23 of a provider code fits its field",
        title_zh="编码第 23 位与字段相符", judge=_of_fields(_service_types),
    ),
    Rule(
        id="CN-M-11", clause="TC260-PG-202511A Annex A.1", grade=Grade.GUIDE,
        severity=Severity.WARNING, judge=_of_label(_security),
        title_en="Security data, where given, fit the label",
        title_zh="安全防护数据（如有）与标识相符",
    ),
)  # fmt: skip
