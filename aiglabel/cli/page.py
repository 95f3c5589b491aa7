"""The report as one static HTML page in English and Chinese: no script, nothing fetched.

Every text is escaped, and the content security policy allows the page's own style and nothing
else, so that hostile metadata stay text.
"""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from aiglabel.cli.output import clean
from aiglabel.marks.watermark.pictures import SHOWS
from aiglabel.report import ABSENCE_EN, ABSENCE_ZH, coverage, heard, times

if TYPE_CHECKING:
    from aiglabel.batch import Failure, VerifyRecord
    from aiglabel.evidence import Evidence
    from aiglabel.report import Report
    from aiglabel.rules import Finding

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2129; --soft: #646b78; --line: #dfe2e8;
  --paper: #f5f6f8; --card: #fff; --good: #14703f; --bad: #b3261e; --open: #8a5a00;
  --info: #1f5fa8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ec; --soft: #9aa2b1; --line: #363c47;
  --paper: #16181d; --card: #1f2329; --good: #6fcf97; --bad: #ff8a80; --open: #f0b95b;
  --info: #7fb4f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "Noto Sans CJK SC", "PingFang SC",
  "Microsoft YaHei", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .25rem 0; }
.soft { color: var(--soft); font-size: .875rem; }
.sums { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; margin: 1rem 0 1.5rem; padding: 0;
  list-style: none; }
.sums b { font-size: 1.25rem; }
article { background: var(--card); border: 1px solid var(--line); border-left: .35rem solid
  var(--soft); border-radius: .4rem; margin: 0 0 1rem; padding: 1rem 1.25rem;
  content-visibility: auto; contain-intrinsic-size: auto 22rem; }
article.good { border-left-color: var(--good); }
article.bad { border-left-color: var(--bad); }
article.open { border-left-color: var(--open); }
b.good { color: var(--good); } b.bad { color: var(--bad); } b.open { color: var(--open); }
b.info { color: var(--info); }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; font-size: .875rem; }
th, td { border-top: 1px solid var(--line); padding: .35rem .75rem .35rem 0; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 500; } td:nth-child(-n+2) { white-space: nowrap; }
summary { cursor: pointer; color: var(--soft); font-size: .875rem; }
figure { margin: .75rem 0; display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; }
figcaption { flex: 1 1 18rem; font-size: .875rem; }
.map { border: 1px solid var(--line); background: var(--paper); max-width: 100%; }
.map path { fill: var(--info); }
.of0 { fill-opacity: .2; } .of1 { fill-opacity: .45; } .of2 { fill-opacity: .7; }
.of3 { fill-opacity: .95; }
.keys span { white-space: nowrap; margin-right: 1rem; }
code { font: .8125rem ui-monospace, monospace; overflow-wrap: anywhere; }
@media print { body { background: none; } article { break-inside: avoid; } }
"""
_MARKS = {
    "overlay": "Visible label 显式标识", "audible": "Audible label 音频显式标识",
    "watermark": "Watermark 水印", "aigc": "Metadata label 元数据隐式标识",
    "iptc": "IPTC source type 来源类型", "credentials": "C2PA credentials 内容凭证",
}  # fmt: skip
_STATUS = {
    "present": ("good", "present 存在"), "absent": ("", "absent 未发现"),
    "invalid": ("bad", "invalid 无效"), "undetermined": ("open", "undetermined 无法判定"),
    "not_checked": ("", "not checked 未检查"),
}  # fmt: skip
_VERDICT = {
    "generated": "AI-generated 人工智能生成合成", "possible": "possibly AI 可能",
    "suspected": "suspected 疑似", "none": "no mark 未发现",
}  # fmt: skip
_COMPLIANCE = {
    "compliant": ("good", "meets the policy 符合策略"),
    "non_compliant": ("bad", "does not meet the policy 不符合策略"),
    "undetermined": ("open", "cannot be judged 无法判定"),
}
# Standard deviations from which the map of presence is drawn darker.
_SHADES = (SHOWS, 4.0, 5.0, 6.0)
_MAP_PIXELS = 288
_LINE = 288
_TITLE = "AI label report 生成合成标识核验报告"


def as_page(records: Sequence[VerifyRecord]) -> str:
    """Return the page for the files of one run."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    reports = [one.report for one in records if one.report is not None]
    cards = "".join(
        _card(one.report) if one.report else _failed(one.file, one.error) for one in records
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">"
        f"<title>{_TITLE}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{_TITLE}</h1>{_head(records, reports)}</header><main>{cards}</main>"
        f'<footer class="soft"><p>{_text(ABSENCE_EN)}</p><p lang="zh">{_text(ABSENCE_ZH)}</p>'
        "</footer></body></html>\n"
    )


def _head(records: Sequence[VerifyRecord], reports: Sequence[Report]) -> str:
    sums = [("", "files 文件", len(records))]
    verdicts = Counter(one.verdict.value for one in reports)
    sums += [("info", words, verdicts[name]) for name, words in _VERDICT.items()]
    kept = Counter(one.compliance.value for one in reports)
    sums += [(kind, words, kept[name]) for name, (kind, words) in _COMPLIANCE.items()]
    sums.append(("bad", "could not be read 无法读取", len(records) - len(reports)))
    listed = "".join(
        f'<li><b class="{kind}">{count}</b> {words}</li>' for kind, words, count in sums if count
    )
    about = ""
    if reports:
        first = reports[0]
        about = (
            f'<p class="soft">Policy 策略 {_text(first.policy)} · Trust lists 信任列表 '
            f"{_text(first.trust)} · {_text(first.checked_at)} · "
            f"aiglabel {_text(first.version)}</p>"
        )
    return f'{about}<ul class="sums">{listed}</ul>'


def _card(report: Report) -> str:
    english, chinese = report.sentence
    kind, words = _COMPLIANCE[report.compliance]
    marks = "".join(_mark(one, report.media) for one in report.evidence)
    maps = "".join(_map(one, report.media) for one in report.evidence if one.presence)
    unmet = [one for one in report.findings if one.ok is not True]
    met = [one for one in report.findings if one.ok is True]
    problems = "".join(f'<p><b class="bad">!</b> {_text(one)}</p>' for one in report.problems)
    return (
        f'<article class="{kind}"><h2>{_text(report.file)}</h2>'
        f'<p>{_text(english)} <span lang="zh">{_text(chinese)}</span></p>'
        f'<p><b class="{kind}">{words}</b></p>{problems}'
        f"<table><tr><th>Mark 标识</th><th>Status 状态</th><th>Found 内容</th></tr>{marks}</table>"
        f"{maps}{_findings('Rules not met or open 未满足或待定的规则', unmet)}"
        f"{_findings('Rules met 已满足的规则', met)}"
        f'<p class="soft">{_media(report)}<br><code>sha256 {_text(report.sha256)}</code></p>'
        "</article>"
    )


def _failed(file: str, failure: Failure | None) -> str:
    return (
        f'<article class="bad"><h2>{_text(file)}</h2>'
        f'<p><b class="bad">could not be read 无法读取</b></p><p>{_text(failure)}</p></article>'
    )


def _mark(evidence: Evidence, media: Mapping[str, Any]) -> str:
    kind, words = _STATUS[evidence.status]
    where = f'<br><span class="soft">{_text(evidence.where)}</span>' if evidence.where else ""
    figures = ""
    if evidence.statistic is not None and evidence.threshold is not None:
        chance = "" if evidence.p_value is None else f", p {_chance(evidence.p_value)}"
        figures = (
            f'<br><span class="soft">statistic 统计量 {evidence.statistic:g}, '
            f"threshold 阈值 {evidence.threshold:g}{chance}</span>"
        )
    return (
        f'<tr><td>{_MARKS[evidence.mark]}</td><td><b class="{kind}">{words}</b></td>'
        f"<td>{_text(evidence.detail)}{where}{figures}"
        f"{_timeline(evidence, media)}{_sound(evidence)}</td></tr>"
    )


def _timeline(evidence: Evidence, media: Mapping[str, Any]) -> str:
    """Draw when a film shows the mark, over its length where that is known, and say it."""
    said = times(evidence)
    if said is None:
        return ""
    english, chinese = map(_text, said)
    spans = evidence.facts["spans"]
    pixels = _LINE / (max(media.get("seconds") or 0.0, *(stop for _, stop in spans)) or 1.0)
    bars = "".join(
        f"M{start * pixels:.1f} 0H{stop * pixels:.1f}V1H{start * pixels:.1f}z"
        for start, stop in spans
    )
    return (
        f'<br><svg class="map" role="img" aria-label="{english}" width="{_LINE}" height="10" '
        f'viewBox="0 0 {_LINE} 1" preserveAspectRatio="none"><path d="{bars}"/></svg>'
        f'<br><span class="soft">{english} <span lang="zh">{chinese}</span></span>'
    )


def _sound(evidence: Evidence) -> str:
    if (said := heard(evidence)) is None:
        return ""
    english, chinese = map(_text, said)
    return f'<br><span class="soft">{english} <span lang="zh">{chinese}</span></span>'


def _map(evidence: Evidence, media: Mapping[str, Any]) -> str:
    """Draw where the watermark is, in the proportions of the picture, and say what it shows."""
    fields = evidence.presence or ()
    longer = max(media["width"], media["height"])
    width, height = (
        max(1, round(media[side] / longer * _MAP_PIXELS)) for side in ("width", "height")
    )
    english, chinese = coverage(evidence) or ("", "")
    keys = [f"&lt; {SHOWS:g}", *(f"≥ {one:g}" for one in _SHADES)]
    legend = "".join(
        f'<span><svg class="map" width="14" height="14" aria-hidden="true">{_square(shade)}</svg>'
        f" {words}</span>"
        for shade, words in enumerate(keys, start=-1)
    )
    return (
        f'<figure><svg class="map" role="img" aria-label="{_text(english)}" width="{width}" '
        f'height="{height}" viewBox="0 0 {len(fields[0])} {len(fields)}" '
        f'preserveAspectRatio="none" shape-rendering="crispEdges">{_shaded(fields)}</svg>'
        f'<figcaption>{_text(english)}<br><span lang="zh">{_text(chinese)}</span>'
        '<p class="soft">Map of the picture: local correlation with the watermark, in standard '
        'deviations. <span lang="zh">画面分布图:各处与水印的局部相关(以标准差计)。</span></p>'
        f'<p class="soft keys">{legend}</p></figcaption></figure>'
    )


def _square(shade: int) -> str:
    return f'<path class="of{shade}" d="M0 0h14v14h-14z"/>' if shade >= 0 else ""


def _shaded(fields: Sequence[Sequence[float]]) -> str:
    """Return one path a shade, made of runs of fields."""
    runs: dict[int, list[str]] = {}
    for y, row in enumerate(fields):
        x = 0
        for shade, run in groupby(bisect_right(_SHADES, value) - 1 for value in row):
            length = len(list(run))
            if shade >= 0:
                runs.setdefault(shade, []).append(f"M{x} {y}h{length}v1h-{length}z")
            x += length
    return "".join(
        f'<path class="of{shade}" d="{"".join(paths)}"/>' for shade, paths in sorted(runs.items())
    )


def _chance(p_value: float) -> str:
    return f"= {p_value:.1e}" if p_value > 1e-300 else "&lt; 1e-300"


def _findings(title: str, findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    shown = " open" if any(one.ok is False for one in findings) else ""
    return (
        f"<details{shown}><summary>{title} ({len(findings)})</summary>"
        f"<table>{''.join(map(_finding, findings))}</table></details>"
    )


def _finding(finding: Finding) -> str:
    kinds = {True: ("good", "met 满足"), False: ("bad", "broken 违反"), None: ("open", "open 待定")}
    kind, words = kinds[finding.ok]
    return (
        f'<tr><td><code>{_text(finding.rule)}</code></td><td><b class="{kind}">{words}</b></td>'
        f'<td>{_text(finding.message_en)}<br><span lang="zh">{_text(finding.message_zh)}</span>'
        f'<br><span class="soft">{_text(finding.clause)}</span></td></tr>'
    )


def _media(report: Report) -> str:
    facts = report.media
    if facts["kind"] == "video":
        return _film(facts)
    if "seconds" in facts:
        length = f"{facts['seconds']:.1f} s, {facts['rate']} Hz, {facts['channels']} ch"
        return _text(f"{facts['format'] or 'samples'}, {facts['codec']}, {length}")
    if "width" not in facts:
        return _text(facts.get("format") or "unknown format 未知格式")
    frames = f", {facts['frames']} frames 帧" if facts["frames"] > 1 else ""
    return _text(f"{facts['format']}, {facts['width']} × {facts['height']}{frames}")


def _film(facts: Mapping[str, Any]) -> str:
    said = ["film 视频", str(facts["format"]), facts.get("codec")]
    if "width" in facts:
        said.append(f"{facts['width']} × {facts['height']}")
    if facts.get("seconds") is not None:
        said.append(f"{facts['seconds']:.1f} s")
    if facts.get("rate"):
        said.append(f"{facts['rate']:g} fps")
    if facts.get("sound") is not None:
        said.append("with sound 有声" if facts["sound"] else "silent 无声")
    return _text(", ".join(one for one in said if one))


def _text(value: Any) -> str:
    return escape(clean(str(value)))
