"""AI Act Art. 50 and the Code of Practice on Transparency of AI-Generated Content (2026-06-10)."""

from __future__ import annotations

from aiglabel.rules.rule import Facts, Grade, Judged, Rule, Severity, bad, good, unknown
from aiglabel.rules.signed import declares_ai, signature_holds


def _machine_readable(facts: Facts) -> Judged:
    layers = {
        "AIGC": facts.present("aigc"),
        "IPTC": facts.present("iptc"),
        "C2PA": declares_ai(facts),
        "watermark": facts.present("watermark"),
    }
    there = [name for name, present in layers.items() if present]
    if there:
        listed = ", ".join(there)
        return good(f"Machine-readable AI marks: {listed}.", f"机器可读的 AI 标记：{listed}。")
    if any(present is None for present in layers.values()):
        return unknown("No machine-readable AI mark found, but not all were looked for.",
                       "未发现机器可读的 AI 标记，但并非全部检测。")  # fmt: skip
    return bad("No machine-readable AI mark found.", "未发现机器可读的 AI 标记。")


def _signed(facts: Facts) -> Judged:
    holds, ai = signature_holds(facts), declares_ai(facts)
    if holds is None:
        return unknown("C2PA credentials were not checked.", "未检测 C2PA 凭证。")
    if not holds:
        return bad("There are no C2PA credentials that hold.", "没有有效的 C2PA 凭证。")
    if not ai:
        return bad("The C2PA credentials do not say that AI made or changed the content.",
                   "C2PA 凭证未声明内容由 AI 生成或修改。")  # fmt: skip
    if not facts.mark("credentials").facts.get("timestamped"):
        # The Code says "where time is available": its lack is a flaw, no failure.
        return bad("The C2PA credentials are not time-stamped by an authority.",
                   "C2PA 凭证没有可信时间戳。", severity=Severity.WARNING)  # fmt: skip
    return good("The AI statement is signed and time-stamped.", "AI 声明已签名并带可信时间戳。")


def _watermark(facts: Facts) -> Judged:
    present = facts.present("watermark")
    if present is None:
        return unknown("The watermark was not looked for, or not surely found.",
                       "未检测水印，或无法确定。")  # fmt: skip
    if present:
        return good("The content carries an imperceptible watermark.", "内容含不可感知水印。")
    return bad("No imperceptible watermark found.", "未发现不可感知水印。")


def _two_layers(facts: Facts) -> Judged:
    layers = [signature_holds(facts), facts.present("watermark")]
    if all(layers):
        return good("Two layers: signed metadata and watermark.", "具备签名元数据与水印两层标记。")
    if False in layers:
        return bad("Signed metadata and watermark are not both there.",
                   "签名元数据与水印未同时具备。")  # fmt: skip
    return unknown("Not both layers were checked.", "两层标记未全部检测。")


def _inputs(facts: Facts) -> Judged:
    kept = facts.mark("credentials").facts.get("parents_ok")
    if kept is None:
        # One file cannot show what its input carried; that must not keep it from complying.
        return Judged(
            ok=None, severity=Severity.WARNING,
            en="No input with credentials is recorded.", zh="未记录带凭证的输入素材。",
        )  # fmt: skip
    if kept:
        return good("The credentials of the input are kept and hold.", "输入素材的凭证得到保留。")
    return bad("The credentials of the input do not hold.", "输入素材的凭证未能完好保留。")


def _interoperable(facts: Facts) -> Judged:
    holds = signature_holds(facts)
    if holds is None:
        return unknown("C2PA credentials were not checked.", "未检测 C2PA 凭证。")
    if holds:
        return good("Anybody can read the mark: C2PA is a public standard.",
                    "标记可由公开标准 C2PA 读取。")  # fmt: skip
    return bad("Nothing in the file tells others which detector to use.",
               "文件中没有可供他人检测的公开标记。")  # fmt: skip


def _disclosure(facts: Facts) -> Judged:
    label = facts.explicit
    present = facts.present(label.mark)
    if present is None:
        return unknown("No label to see or hear was looked for, or surely found.",
                       "未检测显式标识，或无法确定。")  # fmt: skip
    if not present:
        return bad("There is no label to see or hear.", "没有显式标识。")
    if label.facts.get("first_frame") is False:
        return bad("The film shows its label, but not from the start.", "视频起始画面没有标识。")
    text = label.facts.get("text")
    if not text:
        return unknown("The text of the label was not read.", "未能读出标识文字。")
    if "AI" in text:
        return good("The label has capital AI in it.", "显式标识含大写“AI”。")
    return bad(f"The label {text!r} lacks capital AI.", f"显式标识“{text}”缺少大写“AI”。")


_CODE = "Code of Practice on Transparency of AI-Generated Content"

RULES = (
    Rule(
        id="EU-01", clause="AI Act Art. 50(2)", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="Output is marked in a machine-readable format as AI-generated or manipulated",
        title_zh="输出带有机器可读的 AI 标记", judge=_machine_readable,
    ),
    Rule(
        id="EU-02", clause=f"{_CODE} 1.1.1", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="Metadata say whether AI made or changed it, signed and time-stamped",
        title_zh="元数据声明 AI 生成或修改，并签名、加盖时间戳", judge=_signed,
    ),
    Rule(
        id="EU-03", clause=f"{_CODE} 1.1.2", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="The content carries an imperceptible watermark",
        title_zh="内容含不可感知水印", judge=_watermark,
    ),
    Rule(
        id="EU-04", clause=f"{_CODE} 1.1", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="Two layers of marking", title_zh="两层标记", judge=_two_layers,
    ),
    Rule(
        id="EU-05", clause=f"{_CODE} 1.2", grade=Grade.PRIMARY, severity=Severity.ERROR,
        title_en="Marks of the input are kept", title_zh="保留输入素材的标记", judge=_inputs,
    ),
    Rule(
        # Due by 2027-02-02.
        id="EU-07", clause=f"{_CODE} 3.4(c)", grade=Grade.PRIMARY, severity=Severity.WARNING,
        title_en="Others can detect the mark by a public standard or a signpost",
        title_zh="他人可通过公开标准或指引检测标记", judge=_interoperable,
    ),
    Rule(
        id="EU-10", clause=f"AI Act Art. 50(4); {_CODE} section 2", grade=Grade.SECONDARY,
        severity=Severity.WARNING, judge=_disclosure,
        title_en="A deepfake is disclosed at first sight, by a label with capital AI",
        title_zh="深度伪造内容以含大写“AI”的标识明示",
    ),
)  # fmt: skip
