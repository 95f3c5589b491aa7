"""The documentation: complete, its links lead somewhere, its examples run, its vectors are true."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path
from typing import Any, get_type_hints

import cv2
import numpy as np
import pytest
import sounds
from dwt1_writer import mark as mark_dwt1
from film_files import scene
from pictures import PRODUCER, coded, pixels

import aiglabel as agl
from aiglabel import errors
from aiglabel.label import Label
from aiglabel.marks.credentials.trust import SOFT_BINDING_ALGORITHM
from aiglabel.policy import Policy, preset_names
from aiglabel.rules import RULES
from aiglabel.signal import code, detector, dwt1, frame, image, statistics, sync, tile, whitening

ROOT = Path(__file__).resolve().parents[1]
DOCS = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
README = ROOT / "README.md"
PAGES = [
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "samples/README.md"]
    if path.is_file()
]
WIRE = DOCS["wire-format.md"]
NEW, OLD = WIRE.split("\n## 9. ")
OPEN = agl.Key.public()
TOPS = (ROOT, ROOT / "aiglabel", ROOT / "aiglabel/marks")
PAYLOAD = bytes.fromhex("0123456789abcdef")


# --- completeness -------------------------------------------------------------------------------


def settings_of(kind: Any, prefix: str = "") -> list[str]:
    """Return the dotted names of every setting of a policy."""
    hints = get_type_hints(kind)
    names = []
    for one in dataclasses.fields(kind):
        nested = dataclasses.is_dataclass(hints[one.name])
        names += settings_of(hints[one.name], f"{one.name}.") if nested else [prefix + one.name]
    return names


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("python.md", agl.__all__),
        ("python.md", preset_names()),
        ("python.md", settings_of(Policy)),
        ("python.md", [kind.name for kind in agl.Kind]),
        ("python.md", [one.name for one in dataclasses.fields(agl.EmbedResult) if one.repr]),
        ("python.md", [one.name for one in dataclasses.fields(agl.Report) if one.repr]),
        ("python.md", [one.name for one in dataclasses.fields(agl.Evidence)]),
        ("python.md", [one.name for one in dataclasses.fields(agl.Finding)]),
        ("python.md", [one.name for one in dataclasses.fields(agl.Limits)]),
        ("rules.md", list(RULES)),
        ("verdicts.md", [one.value for one in agl.Status]),
        ("verdicts.md", [one.value for one in agl.Verdict]),
        ("verdicts.md", [one.value for one in agl.Compliance]),
    ],
)  # fmt: skip
def test_everything_is_named(page, names):
    words = set(re.findall(r"[\w.-]*\w", DOCS[page]))
    assert names
    assert not [name for name in names if name not in words]


def test_every_room_is_drawn():
    drawn = set(re.findall(r"`(\w+(?:\.py|/))`", DOCS["architecture.md"].split("\n## ")[1]))
    package = ROOT / "aiglabel"
    rooms = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in package.iterdir()
        if path.name != "__pycache__" and (path.is_dir() or path.suffix == ".py")
    }
    assert rooms - drawn == {"__main__.py"}
    assert not [name for name in drawn if not any(top.joinpath(name).exists() for top in TOPS)]


def test_files_that_are_named_exist():
    ours = [path for path in ROOT.iterdir() if not path.name.startswith(".")]  # no environments
    files = [f"/{path.relative_to(ROOT).as_posix()}" for top in ours for path in top.rglob("*")]
    files += [f"/{path.name}" for path in ours]
    named = r"`([a-z_]+(?:/[\w-]+)*/?[\w-]*\.(?:py|toml|json|npz))`"
    for name in re.findall(named, DOCS["architecture.md"] + WIRE + DOCS["benchmarks.md"]):
        assert any(file.endswith(f"/{name}") for file in files), name


# --- links --------------------------------------------------------------------------------------


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text("utf-8"))):
        name, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", name):
            continue
        file = page.parent / name if name else page
        # Written by `make bench`, and committed with the figures of a release.
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text("utf-8")), target


# --- examples -----------------------------------------------------------------------------------


def examples(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [README, ROOT / "docs/python.md"], ids=lambda path: path.name)
def test_examples_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    Path("in.jpg").write_bytes(coded(quality=90))
    Path("in.wav").write_bytes(sounds.coded())
    Path("in.mp4").write_bytes(scene())
    names: dict[str, Any] = {}
    for number, example in enumerate(examples(page.read_text("utf-8")), 1):
        exec(compile(example, f"{page.name}, example {number}", "exec"), names)
    assert names
    capsys.readouterr()


def test_drawn_errors_are_those_of_the_code():
    tree = re.search(r"AigLabelError\n(?:[ │├└].*\n)+", errors.__doc__ or "")
    assert tree
    assert re.sub(r"^    ", "", tree[0], flags=re.MULTILINE) in DOCS["python.md"]


# --- wire format --------------------------------------------------------------------------------


def vector(name: str, page: str = NEW) -> str:
    """Return a value of a table of golden vectors."""
    return re.search(rf"^\| {re.escape(name)} \| `(.*)` \|$", page, re.MULTILINE)[1]


def reference(page: str) -> dict[str, Any]:
    """Return the names of the detector printed in the page, which imports nothing of ours."""
    (text,) = examples(page)
    assert set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)) <= {
        "hashlib", "math", "numpy",
    }  # fmt: skip
    names: dict[str, Any] = {}
    exec(compile(text, "wire-format.md", "exec"), names)
    return names


def golden(name: str) -> np.ndarray:
    return np.load(ROOT / f"tests/golden/{name}.npz")["marked"]


def digest(numbers: Any) -> str:
    """Short digest of a list of numbers, as the page has it."""
    return hashlib.sha256(np.asarray(numbers).astype("<u4").tobytes()).hexdigest()[:16]


def signs(chips: np.ndarray) -> str:
    return " ".join("+" if chip > 0 else "-" for chip in chips)


def numbers(values: np.ndarray) -> str:
    return " ".join(map(str, values))


def test_keys_and_label_payloads_are_the_documented_ones():
    assert OPEN.secret.hex() == vector("secret of the open key")
    assert OPEN.id == vector("id of the open key")
    label = Label.generated(producer=PRODUCER, content_id="p-1")
    assert label.payload.hex() == vector(f"label payload of producer `{PRODUCER}`, content `p-1`")
    for page, streams in (
        (NEW, ("image-2/tag", "image-2/tile")),
        (OLD, ("image-1/tag", "image-1/carrier/64")),
    ):
        for stream in streams:
            assert OPEN.derive(stream).hex() == vector(f"sub-key `{stream}`", page)


@pytest.mark.parametrize(
    ("page", "made", "stream"),
    [(NEW, code.DWT_2, "image-2/tag"), (OLD, code.DWT_1, "image-1/tag")],
)
def test_codewords_are_the_documented_ones(page, made, stream):
    word = made.encode(PAYLOAD, OPEN.derive(stream))
    assert np.packbits(word < 0).tobytes().hex() == vector("code bits", page)
    tag = hashlib.blake2b(PAYLOAD, key=OPEN.derive(stream), digest_size=3)
    assert tag.hexdigest() == vector("tag", page)
    assert f"constraint length {made.constraint}" in page
    assert ", ".join(f"{generator:o}" for generator in made.generators) in page


def test_soft_binding_names_the_format():
    assert f"org.{image.WIRE_FORMAT}" == SOFT_BINDING_ALGORITHM
    assert f'"alg": "{SOFT_BINDING_ALGORITHM}"' in WIRE


def test_carrier_is_the_documented_one():
    drawn = tile.carrier(OPEN)
    assert numbers(drawn.pilots[:8]) == vector("first 8 pilots of level 2")
    assert signs(drawn.chips[drawn.pilots[:8]]) == vector("their chips")
    assert numbers(drawn.message[:8]) == vector("first 8 message coefficients of level 2")
    assert signs(drawn.chips[drawn.message[:8]]) == vector("chips of these")
    assert numbers(drawn.bits[:8]) == vector("code bits they carry")
    assert digest(drawn.pilots) == vector("pilots")
    assert digest(drawn.message) == vector("message coefficients")
    assert digest(drawn.bits) == vector("their code bits")
    assert digest(drawn.chips < 0) == vector("chips, 1 for −1")


@pytest.mark.parametrize("side", dwt1.LADDER)
def test_older_carriers_are_the_documented_ones(side):
    order, chips = dwt1.carrier(OPEN, side)
    assert digest(order) == vector(f"carrier order, side {side}", OLD)
    count = sum(3 * (side >> level) ** 2 for level in dwt1.LEVELS)
    assert f"| {side} | {count} | {order.shape[1]} |" in OLD
    if side == 64:
        first = vector("carrier, side 64, first 16 coefficients", OLD)
        assert numbers(order.ravel()[:16]) == first
        assert signs(chips.ravel()[:16]) == vector("their chips", OLD)


def test_thresholds_are_the_documented_ones():
    rows = re.findall(r"^\| (\d+) \| (\d+\.\d{3}) \| (\d+\.\d{3}) \|$", NEW, re.MULTILINE)
    assert len(rows) >= 5
    for looks, message, pilots in rows:
        wanted = detector.TRIED.limits(int(looks))
        assert (float(message), float(pilots)) == pytest.approx(wanted, abs=6e-4)


def test_older_thresholds_are_the_documented_ones():
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \| (\d+\.\d{3}) \|$", OLD, re.MULTILINE)
    assert len(rows) >= 5
    for frames, keys, views, threshold in rows:
        assert int(frames) * len(dwt1.POSES) * int(keys) == int(views)
        wanted = statistics.threshold(code.INFO_BITS * np.log(2) + np.log(int(views)))
        assert float(threshold) == pytest.approx(wanted, abs=6e-4)


def test_golden_picture_is_still_read():
    """A mark of the first release of its format: every later detector must find it."""
    marked = golden("dwt-2")
    assert hashlib.sha256(marked.tobytes()).hexdigest() == vector("SHA-256 of its 32000 samples")
    found = image.detect(marked, key=OPEN)
    assert (found.payload, found.wire_format) == (PAYLOAD, "aiglabel.dwt.2")
    assert found.statistic == pytest.approx(float(vector("statistic of the golden picture")), 1e-2)
    side = int(vector("its frame"))
    spectrum = whitening.flattened(tile.fold(whitening.whitened(frame.to_frame(marked, side))))
    peak = sync.find(spectrum, tile.carrier(OPEN))
    assert vector("its pose, offset down and right") == (
        f"{peak.pose} {round(peak.down)} {round(peak.right)}"
    )
    pilots = tile.carrier(OPEN).pilot_statistic(sync.values(spectrum, peak))
    assert pilots == pytest.approx(float(vector("statistic of its pilots")), 1e-2)


def test_older_golden_picture_is_still_read():
    """A mark of version 0.1.0: every later detector must find it."""
    marked = golden("dwt-1")
    assert hashlib.sha256(marked.tobytes()).hexdigest() == vector(
        "SHA-256 of its 9216 samples", OLD
    )
    (found,) = dwt1.read(marked, [OPEN])
    assert (found.payload, found.frame) == (PAYLOAD, 64)
    statistic = float(vector("statistic of the golden picture", OLD))
    assert found.statistic == pytest.approx(statistic, 1e-3)
    answer = image.detect(marked, key=OPEN, effort="thorough")
    assert (answer.payload, answer.wire_format) == (PAYLOAD, "aiglabel.dwt.1")


MARKED = image.embed(pixels(400, 520), PAYLOAD, key=OPEN)


@pytest.mark.parametrize(
    "picture",
    [
        golden("dwt-2"), MARKED, np.rot90(MARKED), MARKED[:, ::-1],
        cv2.resize(MARKED, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
        cv2.resize(MARKED, None, fx=1.4, fy=1.4, interpolation=cv2.INTER_CUBIC),
        pixels(70, 90), pixels(300, 200),
    ],
    ids=["golden", "marked", "turned", "mirrored", "smaller", "larger", "tiny", "unmarked"],
)  # fmt: skip
def test_the_page_suffices_to_write_a_detector(picture):
    """The one printed there, without OpenCV and PyWavelets, agrees with ours."""
    picture = np.ascontiguousarray(picture)
    answer = reference(NEW)["detect"](frame.luma(picture), OPEN.secret)
    payload, statistic, threshold = answer
    ours = image.detect(picture, key=OPEN, effort="quick")
    assert payload == ours.payload
    assert threshold == pytest.approx(ours.threshold)
    # Of unmarked pictures the largest of many small numbers is compared.
    assert statistic == pytest.approx(ours.statistic, rel=0.01 if payload else 0.2)


def test_documented_steps_agree_with_ours():
    page = reference(NEW)
    values = np.random.default_rng(0).standard_normal(tile.COEFFICIENTS).astype(np.float32)
    one = tile.synthesise(values)
    np.testing.assert_allclose(page["synthesised"](values), one, atol=1e-5)
    np.testing.assert_allclose(page["analysed"](one), values, atol=1e-4)
    for pose in range(tile.POSES):
        np.testing.assert_array_equal(page["posed"](one, pose), tile.posed(one, pose))
        np.testing.assert_array_equal(page["upright"](one, pose), tile.upright(one, pose))
    folded = page["folded"](one[:50, :60])
    np.testing.assert_array_equal(folded, tile.fold(one[:50, :60]))
    ours = whitening.flattened(one * 100)
    np.testing.assert_allclose(page["flattened"](one * 100)[:, :33], ours, rtol=5e-3, atol=1e-4)
    for shape in ((300, 210), (64, 64), (1200, 900), (40, 333), (3000, 4000)):
        assert set(page["sides"](shape)) == set(frame.sides_to_try(shape))


@pytest.mark.parametrize("side", frame.LADDER)
def test_documented_frame_and_whitening_agree_with_ours(side):
    page = reference(NEW)
    plane = cv2.cvtColor(pixels(600, 420), cv2.COLOR_RGB2GRAY).astype(np.float32)
    ours = frame.to_frame(plane, side)
    np.testing.assert_allclose(page["resize"](plane.astype(float), side), ours, atol=2e-3)
    white = whitening.whitened(ours)
    np.testing.assert_allclose(page["whitened"](ours.astype(float)), white, atol=1e-4)


def test_the_page_suffices_to_write_the_older_detector():
    detect = reference(OLD)["detect"]
    turned = np.rot90(mark_dwt1(pixels(400, 520), PAYLOAD, key=OPEN))
    for picture in (golden("dwt-1"), np.ascontiguousarray(turned), pixels(70, 90)):
        plane = frame.luma(picture)
        payload, statistic, threshold = detect(plane, OPEN.secret)
        (ours,) = dwt1.read(plane, [OPEN])
        assert payload == ours.payload
        assert threshold == pytest.approx(ours.threshold)
        if payload:
            assert statistic == pytest.approx(ours.statistic, rel=1e-4)


@pytest.mark.parametrize("side", dwt1.LADDER)
def test_older_frame_and_whitening_agree_with_ours(side):
    page = reference(OLD)
    plane = cv2.cvtColor(pixels(300, 210), cv2.COLOR_RGB2GRAY)
    ours = dwt1.to_frame(plane, side)
    np.testing.assert_allclose(page["resize"](plane.astype(float), side), ours, atol=1e-3)
    white = np.concatenate([band.ravel() for band in dwt1.whiten(ours)])
    np.testing.assert_allclose(page["whitened"](ours.astype(float)), white, atol=1e-3)
