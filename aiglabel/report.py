"""What verification found, and the two judgements drawn from it by pure functions.

The verdict follows Art. 6 of the Labeling Measures; compliance follows the rules of a policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from aiglabel.evidence import Evidence, Status
from aiglabel.rules import Finding, Severity
from aiglabel.rules.signed import means_ai

SCHEMA: Final = "aiglabel.report/1"
ABSENCE_EN: Final = "The absence of a mark proves nothing: marks can be removed or never written."
ABSENCE_ZH: Final = "未发现标识不能证明内容并非人工智能生成:标识可能被去除,也可能从未添加。"


class Verdict(StrEnum):
    """What Art. 6 lets one say of the file."""

    GENERATED = "generated"  # a valid implicit label in the metadata says so
    POSSIBLE = "possible"  # declared by the user, or labelled "may be"
    SUSPECTED = "suspected"  # no valid implicit label, but other traces
    NONE = "none"  # nothing to say


class Compliance(StrEnum):
    """Whether the rules of the policy are kept."""

    COMPLIANT = "compliant"
    NON_COMPLIANT = "non_compliant"
    UNDETERMINED = "undetermined"


_SENTENCES: Final = {
    Verdict.GENERATED: (
        "AI-generated: a valid GB 45438 metadata label in the file says so.",
        "生成合成内容:文件元数据中的隐式标识表明该内容为人工智能生成合成。",
    ),
    Verdict.POSSIBLE: (
        "Possibly AI-generated: it is declared to be so, and nothing else proves it.",
        "可能为生成合成内容:已声明,但未核验到其他证据。",
    ),
    Verdict.SUSPECTED: (
        "Suspected to be AI-generated: other marks say so, not a valid GB 45438 metadata label.",
        "疑似生成合成内容:未核验到有效的隐式标识,但检测到其他生成合成痕迹。",
    ),
    Verdict.NONE: (
        "No mark of AI generation was found.",
        "未发现生成合成标识。",
    ),
}
_MOST_SPANS: Final = 8
_COMPLIANCE: Final = {
    Compliance.COMPLIANT: ("meets", "符合"),
    Compliance.NON_COMPLIANT: ("does not meet", "不符合"),
    Compliance.UNDETERMINED: ("cannot be judged by", "无法判定是否符合"),
}


def decide(evidence: Mapping[str, Evidence], *, declared: bool = False) -> Verdict:
    """Draw the Art. 6 verdict.

    Parameters
    ----------
    evidence : mapping of str to Evidence
        By mark name.
    declared : bool
        Whether the user who sent the file declared it AI-generated.
    """
    aigc = evidence.get("aigc")
    if aigc is not None and aigc.status is Status.PRESENT:
        code = (aigc.facts.get("fields") or {}).get("Label", "1")
        return {"2": Verdict.POSSIBLE, "3": Verdict.SUSPECTED}.get(code, Verdict.GENERATED)
    if declared:
        return Verdict.POSSIBLE
    return Verdict.SUSPECTED if traces(evidence) else Verdict.NONE


def traces(evidence: Mapping[str, Evidence]) -> list[str]:
    """Return the names of the marks that speak for AI generation, broken ones included."""
    found = []
    for name, one in evidence.items():
        if name == "credentials":
            speaks = means_ai(one.facts.get("ai_declared", ()))
        elif name == "aigc":
            speaks = one.status in (Status.PRESENT, Status.INVALID)
        else:
            speaks = one.status is Status.PRESENT
        if speaks:
            found.append(name)
    return found


def coverage(evidence: Evidence) -> tuple[str, str] | None:
    """Say in English and Chinese how much of the picture shows the mark; None where not known."""
    share = evidence.facts.get("covered")
    if share is None:
        return None
    percent = 5 * round(20 * share)
    if percent == 100:
        return "The watermark was found in nearly all of the picture.", "几乎整幅画面均检出水印。"
    about, about_zh = f"about {percent} %", f"约 {percent}%"
    if percent == 0:
        about, about_zh = "less than 5 %", "不足 5%"
    return (
        f"The watermark was found in {about} of the picture; where it was not, that proves "
        "nothing: smooth and dark places carry little of it.",
        f"{about_zh} 的画面检出水印;未检出之处不能证明没有水印:平滑或过暗处本就难以承载水印。",
    )


def times(evidence: Evidence) -> tuple[str, str] | None:
    """Say in English and Chinese when a film shows the mark; None where not known."""
    spans = evidence.facts.get("spans")
    if not spans:
        return None
    listed = [f"{start:.1f}–{stop:.1f}" for start, stop in spans[:_MOST_SPANS]]
    more, more_zh = (", …", "、…") if len(spans) > _MOST_SPANS else ("", "")
    return (
        f"Found in these seconds: {', '.join(listed)}{more}.",
        f"检出时段(秒):{'、'.join(listed)}{more_zh}。",
    )


def heard(evidence: Evidence) -> tuple[str, str] | None:
    """Say in English and Chinese what a film's sound says, where its frames say something too."""
    sound = evidence.facts.get("sound")
    if not sound or not evidence.facts.get("spans"):
        return None
    if sound["payload"] == evidence.payload:
        return "The sound track carries the same payload.", "声轨含相同载荷。"
    other = sound["payload"]
    if other is None:
        return "The sound track carries a watermark too.", "声轨亦含水印。"
    return (
        f"The sound track carries another payload: {other}.", f"声轨含另一载荷:{other}。"
    )  # fmt: skip


def comply(findings: Iterable[Finding]) -> Compliance:
    """Sum up findings: one broken rule breaks it, one open question leaves it open."""
    answers = [one.ok for one in findings if one.severity is Severity.ERROR]
    if False in answers:
        return Compliance.NON_COMPLIANT
    return Compliance.COMPLIANT if answers and None not in answers else Compliance.UNDETERMINED


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """Everything verification can say of one file.

    Attributes
    ----------
    file : str or None
        Its path.
    sha256 : str or None
        Of its bytes; None for arrays.
    media : mapping
        ``kind`` (``image``, ``audio``, ``video`` or ``other``), ``format``; of pictures ``width``,
        ``height``, ``frames``; of sounds ``seconds``, ``rate``, ``channels``, ``codec``; of films
        ``width``, ``height``, ``seconds``, ``rate`` (frames a second), ``codec``, ``sound``; what
        could be read.
    verdict : Verdict
    compliance : Compliance
        With the rules of `policy`.
    evidence : tuple of Evidence
        One a mark.
    findings : tuple of Finding
        One a rule.
    problems : tuple of str
        Why something could not be looked at.
    policy, trust : str
        Names of the policy and the trust profile.
    checked_at : str
        UTC, ISO 8601: certificates expire.
    version : str
        Of the toolkit.
    """

    file: str | None
    sha256: str | None
    media: Mapping[str, Any]
    verdict: Verdict
    compliance: Compliance
    evidence: tuple[Evidence, ...]
    findings: tuple[Finding, ...]
    problems: tuple[str, ...] = ()
    policy: str
    trust: str
    checked_at: str
    version: str
    _by_mark: dict[str, Evidence] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_mark", {one.mark: one for one in self.evidence})

    def mark(self, name: str) -> Evidence:
        """Return the evidence of one mark.

        Raises
        ------
        KeyError
            When there is no mark of that name.
        """
        return self._by_mark[name]

    @property
    def found(self) -> list[str]:
        """Names of the marks that speak for AI generation."""
        return traces(self._by_mark)

    @property
    def sentence(self) -> tuple[str, str]:
        """The verdict in English and Chinese."""
        return _SENTENCES[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values, schema `SCHEMA`."""
        english, chinese = self.sentence
        return {
            "schema": SCHEMA,
            "version": self.version,
            "checked_at": self.checked_at,
            "file": self.file,
            "sha256": self.sha256,
            "media": dict(self.media),
            "verdict": self.verdict.value,
            "sentence": {"en": english, "zh": chinese},
            "compliance": self.compliance.value,
            "policy": self.policy,
            "trust": self.trust,
            "evidence": [asdict(one) for one in self.evidence],
            "findings": [asdict(one) for one in self.findings],
            "problems": list(self.problems),
            "note": {"en": ABSENCE_EN, "zh": ABSENCE_ZH},
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return the report as JSON text; ``assets/schemas/report-1.json`` describes it."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    def __str__(self) -> str:
        english, chinese = self.sentence
        meets, meets_zh = _COMPLIANCE[self.compliance]
        lines = [
            f"{self.file}: {english}" if self.file else english,
            f"  {chinese}",
            f"  It {meets} policy '{self.policy}'. {meets_zh}策略“{self.policy}”。",
        ]
        for one in self.evidence:
            lines.append(f"  {one.mark:<12}{one.status.value:<14}{one.detail}")
            said = (*(coverage(one) or ()), *(times(one) or ()), *(heard(one) or ()))
            lines += [f"{'':<28}{sentence}" for sentence in said]
        lines += [
            f"  {one.rule:<12}{'broken' if one.ok is False else 'open':<14}{one.message_en}"
            for one in self.findings
            if one.ok is not True
        ]
        lines += [f"  problem     {problem}" for problem in self.problems]
        if self.verdict is Verdict.NONE:
            lines.append(f"  {ABSENCE_EN} {ABSENCE_ZH}")
        return "\n".join(lines)
