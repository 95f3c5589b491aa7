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
from pictures import PRODUCER, coded, pixels

import aiglabel as agl
from aiglabel import errors
from aiglabel.label import Label
from aiglabel.policy import Policy, preset_names
from aiglabel.rules import RULES
from aiglabel.signal import code, frame, image, statistics
from aiglabel.signal.carrier import carrier

ROOT = Path(__file__).resolve().parents[1]
DOCS = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
README = ROOT / "README.md"
PAGES = [
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "samples/README.md"]
    if path.is_file()
]
WIRE = DOCS["wire-format.md"]
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
    folders = [ROOT, ROOT / "aiglabel", ROOT / "docs"]
    named = r"`([a-z_]+(?:/[\w-]+)*/?[\w-]*\.(?:py|toml|json|npz))`"
    for name in re.findall(named, DOCS["architecture.md"] + WIRE + DOCS["benchmarks.md"]):
        assert any([*folder.rglob(name)] for folder in folders), name


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


def vector(name: str) -> str:
    """Return a value of the table of golden vectors."""
    return re.search(rf"^\| {re.escape(name)} \| `(.*)` \|$", WIRE, re.MULTILINE)[1]


def reference() -> dict[str, Any]:
    """Return the names of the detector printed in the page, which imports nothing of ours."""
    (text,) = examples(WIRE)
    assert "aiglabel" not in re.sub(r"image-1|\"\"\".*?\"\"\"", "", text)
    names: dict[str, Any] = {}
    exec(compile(text, "wire-format.md", "exec"), names)
    return names


def golden() -> np.ndarray:
    return np.load(ROOT / "tests/golden/dwt-1.npz")["marked"]


def carrier_of(side: int) -> tuple[np.ndarray, np.ndarray]:
    count = sum(int(np.prod(shape)) for shape in frame.band_shapes(side))
    drawn = carrier(OPEN, f"image-1/carrier/{side}", count, code.CODE_BITS)
    return drawn.order, drawn.chips


def test_keys_and_codeword_are_the_documented_ones():
    assert OPEN.secret.hex() == vector("secret of the open key")
    assert OPEN.id == vector("id of the open key")
    for stream in ("image-1/tag", "image-1/carrier/64"):
        assert OPEN.derive(stream).hex() == vector(f"sub-key `{stream}`")
    word = code.encode(PAYLOAD, OPEN.derive("image-1/tag"))
    assert np.packbits(word < 0).tobytes().hex() == vector("code bits")
    tag = hashlib.blake2b(PAYLOAD, key=OPEN.derive("image-1/tag"), digest_size=3)
    assert tag.hexdigest() == vector("tag")
    label = Label.generated(producer=PRODUCER, content_id="p-1")
    assert label.payload.hex() == vector(f"label payload of producer `{PRODUCER}`, content `p-1`")


@pytest.mark.parametrize("side", frame.LADDER)
def test_carriers_are_the_documented_ones(side):
    order, chips = carrier_of(side)
    digest = hashlib.sha256(order.astype("<u4").tobytes()).hexdigest()
    assert digest[:16] == vector(f"carrier order, side {side}")
    count = sum(int(np.prod(shape)) for shape in frame.band_shapes(side))
    assert f"| {side} | {count} | {order.shape[1]} |" in WIRE
    if side == 64:
        first = vector("carrier, side 64, first 16 coefficients")
        assert " ".join(map(str, order.ravel()[:16])) == first
        signs = "".join("+" if chip > 0 else "-" for chip in chips.ravel()[:16])
        assert " ".join(signs) == vector("their chips")


def test_thresholds_are_the_documented_ones():
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \| (\d+\.\d{3}) \|$", WIRE, re.MULTILINE)
    assert len(rows) >= 5
    for frames, keys, views, threshold in rows:
        assert int(frames) * len(frame.POSES) * int(keys) == int(views)
        wanted = statistics.threshold(image._hypotheses(int(views)))
        assert float(threshold) == pytest.approx(wanted, abs=6e-4)


def test_golden_picture_is_still_read():
    """A mark of version 0.1.0: every later detector must find it."""
    marked = golden()
    assert hashlib.sha256(marked.tobytes()).hexdigest() == vector("SHA-256 of its 9216 samples")
    found = image.detect(marked, key=OPEN)
    assert (found.payload, found.geometry) == (PAYLOAD, image.Geometry(64))
    assert found.statistic == pytest.approx(float(vector("statistic of the golden picture")), 1e-3)


def test_the_page_suffices_to_write_a_detector():
    """The one printed there, without OpenCV and PyWavelets, agrees with ours."""
    detect = reference()["detect"]
    turned = np.rot90(image.embed(pixels(400, 520), PAYLOAD, key=OPEN))
    for picture in (golden(), np.ascontiguousarray(turned), pixels(70, 90)):
        plane = frame.luma(picture)
        payload, statistic, threshold = detect(plane, OPEN.secret)
        ours = image.detect(picture, key=OPEN)
        assert payload == ours.payload
        assert statistic == pytest.approx(ours.statistic, rel=1e-4)
        assert threshold == pytest.approx(ours.threshold)


@pytest.mark.parametrize("side", frame.LADDER)
def test_documented_frame_and_whitening_agree_with_ours(side):
    page = reference()
    plane = cv2.cvtColor(pixels(300, 210), cv2.COLOR_RGB2GRAY)
    resized = page["resize"](plane.astype(float), side)
    ours = frame.to_frame(plane, side)
    np.testing.assert_allclose(resized, ours, atol=1e-3)
    np.testing.assert_allclose(
        page["whitened"](ours.astype(float)), image.mask.view(ours).white(), atol=1e-3
    )
