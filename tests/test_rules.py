"""The rule catalogue: every rule kept, broken and undetermined where it should be."""

from __future__ import annotations

import dataclasses
import json
import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiglabel.errors import PolicyError
from aiglabel.evidence import Evidence, Status
from aiglabel.label import Label
from aiglabel.marks.aigc import CARRIER
from aiglabel.marks.aigc_json import decode, to_json
from aiglabel.rules import RULES, Grade, Severity, check
from aiglabel.rules.china_explicit import required_height

DOCS = Path(__file__).resolve().parents[1] / "docs" / "rules.md"
MARKS = ("overlay", "audible", "watermark", "aigc", "iptc", "credentials")
SOUND = {"kind": "audio", "format": "wav", "seconds": 9.0}
FILM = {
    "kind": "video",
    "format": "mp4",
    "width": 1920,
    "height": 1080,
    "seconds": 9.0,
    "rate": 25.0,
}
MEDIA = {"kind": "image", "width": 1024, "height": 768, "format": "jpeg"}
AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
LABEL = Label.generated(producer="001191110102MACQD9K64010000", content_id="p-1")


def present(mark, **facts):
    return {mark: Evidence(mark=mark, status=Status.PRESENT, facts=facts)}


def overlay(**facts):
    usual = {
        "text": "AI生成", "elements": {"ai": True, "generation": True}, "ink_height": 39,
        "on_edge": True, "contrast": 9.0,
    }  # fmt: skip
    return present("overlay", **{**usual, **facts})


def shown(**facts):
    usual = {"first_frame": True, "shown_s": 3.0, "watched_s": 3.04, "ink_height": 54}
    return overlay(**{**usual, **facts})


def aigc(text=None, *more, carrier=CARRIER, security="absent"):
    texts = (text or to_json(LABEL), *more)
    decoded = [decode(each) for each in texts]
    labels = [
        {"carrier": carrier, "fields": each.fields, "problems": each.problems} for each in decoded
    ]
    return present(
        "aigc", labels=labels, count=len(labels), fields=decoded[0].fields,
        security={"result": security, "detail": "Said."},
    )  # fmt: skip


def credentials(**facts):
    usual = {
        "state": "Trusted", "codes": [], "timestamped": True, "issuer": "Example", "when": "2026",
        "ai_declared": [{"where": "active", "source_type": AI, "action": "c2pa.created"}],
        "software_agent": {"name": "Model", "version": "1"}, "parents_ok": True,
        "manifest_label": "urn:c2pa:1",
    }  # fmt: skip
    return present("credentials", **{**usual, **facts})


def voice(**facts):
    usual = {"text": "AI生成", "start": 0.2, "duration": 1.7, "speaking_rate": 141.0}
    heard = [{**usual, **facts}]
    return present("audible", voices=heard, places=["start"], text=heard[0]["text"])


def rhythm(*marks):
    heard = [{"start": 8.0, "duration": 1.3, "unit": 0.12, "marks": marks or (1, 1, 1, 1)}]
    return present("audible", rhythms=heard, places=["end"])


def absent(mark):
    return {mark: Evidence(mark=mark, status=Status.ABSENT)}


WATERMARK = {"watermark": Evidence(mark="watermark", status=Status.PRESENT)}
IPTC = present("iptc", ai=True, source_types=[{"value": AI}], problems=[])
LABEL_TEXT = to_json(LABEL)
BAD_SIGNATURE = credentials(state="Invalid", codes=["assertion.dataHash.mismatch"])


BROKEN = {"credentials": Evidence(mark="credentials", status=Status.INVALID)}


def one(rule, evidence, **thresholds):
    media = next(one for one in (MEDIA, SOUND, FILM) if one["kind"] in RULES[rule].media)
    (finding,) = check([rule], evidence, media, thresholds)
    assert finding.message_en.endswith(".")
    assert finding.message_zh
    return finding


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        ("CN-X-01", overlay(), overlay(text="AI", elements={"ai": True, "generation": False})),
        ("CN-I-01", overlay(), absent("overlay")),
        ("CN-I-02", overlay(), overlay(on_edge=False)),
        ("CN-I-03", overlay(), overlay(contrast=1.5)),
        ("CN-I-04", overlay(), overlay(ink_height=38.9)),
        ("CN-V-01", shown(), absent("overlay")),
        ("CN-V-01", shown(), shown(first_frame=False, shown_s=0.0)),
        ("CN-V-02", shown(), shown(shown_s=1.5)),
        ("CN-V-02", shown(), shown(first_frame=False, shown_s=0.0)),
        ("CN-V-03", shown(), shown(ink_height=53)),
        ("CN-A-01", rhythm(), absent("audible")),
        ("CN-A-02", voice(), voice(text="AI")),
        ("CN-A-02", voice(), voice(speaking_rate=240.0)),
        ("CN-A-03", rhythm(), rhythm(1, 0.1, 1, 1)),
        ("CN-A-04", voice(), None),  # a suitable place in the middle is anywhere
        ("CN-A-05", None, None),  # one file does not show a conversation
        ("CN-M-01", aigc(), absent("aigc")),
        ("CN-M-01", aigc(), aigc(carrier="PNG tEXt AIGC")),
        ("CN-M-02", aigc(), aigc(LABEL_TEXT, LABEL_TEXT)),
        ("CN-M-03", aigc(), aigc(LABEL_TEXT + "x")),
        ("CN-M-03", aigc(), aigc('{"AIGC":' + LABEL_TEXT + "}")),
        ("CN-M-04", aigc(), aigc(LABEL_TEXT.replace("{", '{"Timestamp":"1",'))),
        ("CN-M-04", aigc(), aigc(LABEL_TEXT.replace(',"ReservedCode2":""', ""))),
        ("CN-M-05", aigc(), aigc(LABEL_TEXT.replace('"1"', "1", 1))),
        ("CN-M-06", aigc(), aigc(LABEL_TEXT.replace('"1"', '"4"', 1))),
        ("CN-M-07", aigc(), aigc(LABEL_TEXT.replace('"p-1"', '""'))),
        ("CN-M-08", aigc(), aigc(LABEL_TEXT.replace("p-1", "编号"))),
        ("CN-M-09", aigc(), aigc(LABEL_TEXT.replace("K640", "K641"))),
        ("CN-M-10", aigc(), aigc(LABEL_TEXT.replace("64010000", "64020000"))),
        ("CN-M-11", aigc(security="verified"), aigc(security="failed")),
        ("EU-01", IPTC, {key: value for mark in MARKS for key, value in absent(mark).items()}),
        ("EU-01", aigc(), BAD_SIGNATURE | absent("aigc") | absent("iptc") | absent("watermark")),
        ("EU-02", credentials(), credentials(ai_declared=[])),
        ("EU-02", credentials(), credentials(timestamped=False)),
        ("EU-02", credentials(), absent("credentials")),
        ("EU-03", WATERMARK, absent("watermark")),
        ("EU-04", credentials() | WATERMARK, credentials() | absent("watermark")),
        ("EU-05", credentials(), credentials(parents_ok=False)),
        ("EU-07", credentials(), BAD_SIGNATURE),
        ("EU-10", overlay(), overlay(text="人工智能生成")),
        ("CA-01", aigc(), credentials(issuer=None)),
        ("CA-02", credentials(), credentials(software_agent={"name": "Model"})),
        ("CA-03", credentials(), credentials(when=None)),
        ("CA-04", credentials(), credentials(manifest_label=None)),
        ("CA-05", credentials(), credentials(ai_declared=[])),
        ("CA-06", credentials(state="Valid"), BAD_SIGNATURE),
        ("CA-07", WATERMARK, absent("watermark")),
        ("C2-01", credentials(), credentials(codes=["assertion.action.malformed"])),
        ("C2-03", credentials(), credentials(ai_declared=[{"source_type": AI.rsplit("/")[-1]}])),
        ("C2-04", credentials(), credentials(codes=["assertion.action.softBindingMissing"])),
        ("C2-08", credentials(), BAD_SIGNATURE),
        ("C2-11", credentials(), BROKEN),
        ("IPTC-01", IPTC, absent("iptc")),
        ("IPTC-02", IPTC, present("iptc", ai=True, problems=["a bare code"])),
    ],
)
def test_kept_broken_and_undetermined(rule, kept, broken):
    assert kept is None or one(rule, kept).ok is True
    assert broken is None or one(rule, broken).ok is False
    assert one(rule, {}).ok is None


def test_every_rule_has_such_a_case():
    (cases,) = (mark.args[1] for mark in test_kept_broken_and_undetermined.pytestmark)
    assert {case[0] for case in cases} == set(RULES)


@pytest.mark.parametrize(
    ("rule", "evidence"),
    [
        ("CN-M-01", aigc(carrier="PNG tEXt AIGC")),
        ("CN-M-04", aigc(LABEL_TEXT.replace(',"ReservedCode2":""', ""))),
        ("CN-M-07", aigc(LABEL_TEXT.replace('"p-1"', '""').replace('"1"', '"3"', 1))),
        ("EU-02", credentials(timestamped=False)),
    ],
)
def test_milder_cases_of_an_error_only_warn(rule, evidence):
    assert RULES[rule].severity is Severity.ERROR
    assert one(rule, evidence).severity is Severity.WARNING


@pytest.mark.parametrize(
    ("side", "pixels"), [(512, 26), (720, 36), (768, 39), (1024, 52), (1080, 54), (2160, 108)]
)
def test_text_height_of_the_standard(side, pixels):
    assert required_height(side, 4000, 0.05) == pixels


@given(st.integers(1, 30_000))
def test_text_height_is_exact_whatever_the_floats(side):
    assert required_height(side, side, 0.05) == -(-side // 20)


def test_thresholds_are_the_policys():
    assert one("CN-I-04", overlay(ink_height=24), height_ratio=0.03).ok
    assert not one("CN-I-03", overlay(contrast=5.0), contrast=7.0).ok


def test_without_a_label_only_its_absence_is_a_finding():
    evidence = absent("aigc") | absent("overlay")
    broken = [found.rule for found in check(RULES, evidence, MEDIA, {}) if found.ok is False]
    assert set(broken) >= {"CN-I-01", "CN-M-01"}
    assert not [rule for rule in broken if rule.startswith("CN-") and not rule.endswith("-01")]


def test_weakly_known_rules_never_fail_a_file():
    weak = [rule for rule in RULES.values() if rule.grade in (Grade.SECONDARY, Grade.BACKGROUND)]
    assert weak
    assert all(rule.severity is Severity.WARNING for rule in weak)
    with pytest.raises(AssertionError):
        dataclasses.replace(weak[0], severity=Severity.ERROR)


@pytest.mark.parametrize(("status", "mark"), list(product(Status, MARKS)))
def test_rules_bear_evidence_without_facts(status, mark):
    evidence = {mark: Evidence(mark=mark, status=status)}
    for media in ("image", "audio", "video"):
        findings = check(RULES, evidence, {"kind": media}, {})
        json.dumps([dataclasses.asdict(found) for found in findings])
        assert [found.rule for found in findings] == [
            name for name, rule in RULES.items() if media in rule.media
        ]


def test_misspelt_rules_and_other_media():
    with pytest.raises(PolicyError, match="Did you mean EU-01"):
        check(["EU_01"], {}, MEDIA, {})
    assert check(RULES, {}, {"kind": "other"}, {}) == []


def test_a_voice_serves_instead_of_a_rhythm_and_a_rhythm_instead_of_a_voice():
    assert one("CN-A-03", voice()).ok
    assert one("CN-A-02", rhythm()).ok


@pytest.mark.parametrize(
    ("seconds", "shown_s", "watched_s", "ok"),
    [
        (9.0, 2.0, 2.0, True),
        (9.0, 1.9995, 2.04, True),  # a tick of a millisecond
        (9.0, 1.96, 2.0, False),
        (9.0, 1.5, 1.5, None),  # nobody looked any further
        (None, 1.5, 1.5, None),
        (None, 2.0, 2.0, True),
        (1.5, 1.46, 1.46, True),  # the last frame lasts 0.04 s
        (1.5, 1.46, 1.5, False),
        (1.5, 1.0, 1.0, None),
        (0.04, 0.0, 0.0, True),
        (9.0, None, 2.0, None),
        (9.0, 1.0, None, None),
    ],
)
def test_how_long_a_film_shows_its_label(seconds, shown_s, watched_s, ok):
    media = {**FILM, "seconds": seconds}
    (found,) = check(["CN-V-02"], shown(shown_s=shown_s, watched_s=watched_s), media, {})
    assert found.ok is ok


def test_the_policy_says_how_long_a_film_shows_its_label():
    assert one("CN-V-02", shown(), film_seconds=3.0).ok
    assert one("CN-V-02", shown(watched_s=3.0), film_seconds=4.0).ok is None
    assert one("CN-V-02", shown(), film_seconds=4.0).ok is False


def test_films_are_judged_like_pictures_where_the_law_says_so():
    findings = check(RULES, absent("overlay"), FILM, {})
    judged = {found.rule for found in findings}
    assert {"CN-X-01", "CN-I-03", "CN-M-01", "EU-01", "CA-01", "C2-11"} <= judged
    assert not judged & {"CN-I-01", "CN-I-02", "CN-I-04", "CN-A-01"}
    broken = [found.rule for found in findings if found.ok is False]
    assert [rule for rule in broken if rule.startswith("CN")] == ["CN-V-01"]
    (first_sight,) = check(["EU-10"], shown(first_frame=False), FILM, {})
    assert first_sight.ok is False
    assert first_sight.severity is Severity.WARNING
    assert check(["EU-10"], shown(), FILM, {})[0].ok


def test_what_was_not_listened_to_is_open():
    ends = {
        "audible": Evidence(mark="audible", status=Status.ABSENT, facts={"listened": "ends"}),
    }  # fmt: skip
    assert one("CN-A-01", ends).ok is None


def test_the_label_one_hears_counts_like_the_one_one_sees():
    heard = check(["EU-10"], voice(text="AI-generated"), SOUND, {})
    assert heard[0].ok is True
    assert check(["EU-10"], overlay(), SOUND, {})[0].ok is None


def test_the_documentation_lists_every_rule_as_it_is():
    rows = re.findall(r"^\| (\S+) \| (.+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name: cells.split(" | ") for name, cells in rows if name in RULES}
    for rule in RULES.values():
        assert documented[rule.id] == [
            rule.title_en, rule.title_zh, rule.clause, rule.severity.value, rule.grade.value,
        ]  # fmt: skip
