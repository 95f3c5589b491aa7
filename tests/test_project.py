"""The project as a whole: weight of an import, documented errors, pins, licences, clean files."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import aiglabel
from aiglabel import errors

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DEPENDENCIES = [Requirement(line) for line in PROJECT["dependencies"]]

START_UP_SECONDS = 0.4
# Each of these costs more than all the rest of a start-up, and most commands need none of them.
HEAVY = {"c2pa", "cv2", "ffmpeg", "imageio_ffmpeg", "pi_heif", "pywt", "requests", "skimage"}


# --- start-up -----------------------------------------------------------------------------------


def run_python(code: str) -> list[str]:
    """Run code in a fresh interpreter and return the words of its last line."""
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code], capture_output=True, check=True, cwd=ROOT
    )
    return done.stdout.decode().splitlines()[-1].split()


def start_up_seconds(code: str) -> float:
    """Return the CPU seconds of the best of three fresh interpreters, their own start included."""
    measured = f"{code}\nimport time; print(); print(time.process_time())"
    return min(float(run_python(measured)[0]) for _ in range(3))


def loaded(code: str) -> set[str]:
    """Return the top-level packages present after running code in a fresh interpreter."""
    listing = "import sys; print(); print(*{name.partition('.')[0] for name in sys.modules})"
    return set(run_python(f"{code}\n{listing}"))


HELP = """
from aiglabel.cli import main
import sys
sys.argv = ["aiglabel", "--help"]
try:
    main()
except SystemExit as stop:
    assert not stop.code
"""


@pytest.mark.parametrize("code", ["import aiglabel", HELP], ids=["import", "help"])
def test_start_up_is_quick_and_light(code: str) -> None:
    assert not loaded(code) & HEAVY
    assert start_up_seconds(code) < START_UP_SECONDS


def test_import_alone_prepares_no_command_line() -> None:
    assert not loaded("import aiglabel") & {"typer", "rich", "pydantic"}


def test_signal_needs_arrays_only() -> None:
    every = "\n".join(
        f"import {module.name}"
        for module in pkgutil.walk_packages(aiglabel.__path__, "aiglabel.")
        if module.name.startswith("aiglabel.signal")
    )
    assert not loaded(every) & (HEAVY - {"cv2", "pywt"} | {"PIL", "typer", "rich"})


# --- errors -------------------------------------------------------------------------------------


def drawn_tree() -> dict[str, tuple[str, str]]:
    """Read the tree in the docstring of `errors`: name → (parent, description)."""
    tree, ancestors = {}, {}
    for line in (errors.__doc__ or "").splitlines():
        if node := re.match(r"^    ([│├└─ ]*)([A-Z]\w+)\s*(.*)$", line):
            depth = len(node[1])
            tree[node[2]] = (ancestors.get(depth - 4, ""), node[3])
            ancestors[depth] = node[2]
    return tree


def all_modules() -> Iterator[str]:
    for module in pkgutil.walk_packages(aiglabel.__path__, "aiglabel."):
        if not module.name.endswith("__main__"):
            yield module.name


def descendants(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        yield from descendants(child)


def test_every_error_is_drawn_where_it_hangs() -> None:
    for module in all_modules():
        importlib.import_module(module)
    tree = drawn_tree()
    actual = {
        kind.__name__: kind.__bases__[0].__name__ for kind in descendants(errors.AigLabelError)
    }
    actual["AigLabelError"] = ""
    assert {name: parent for name, (parent, _) in tree.items()} == actual
    for name, (_, description) in tree.items():
        assert issubclass(getattr(errors, name), ValueError) == ("also ValueError" in description)


def test_every_error_is_documented_and_public() -> None:
    for kind in descendants(errors.AigLabelError):
        assert kind.__doc__, kind
        assert kind.__module__ == "aiglabel.errors", kind


# --- packages and licences ----------------------------------------------------------------------


def pins() -> dict[str, Version]:
    found = {}
    for line in (ROOT / "requirements/lock.txt").read_text("utf-8").splitlines():
        if line and not line.lstrip().startswith("#"):
            name, version = re.fullmatch(r"([a-z0-9.-]+)==(\S+)", line).groups()  # type: ignore[union-attr]
            found[canonicalize_name(name)] = Version(version)
    return found


def test_the_lock_pins_every_dependency_within_its_bounds() -> None:
    locked = pins()
    extras = [
        Requirement(line) for group in PROJECT["optional-dependencies"].values() for line in group
    ]
    for requirement in DEPENDENCIES + extras:
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement


def runtime_packages() -> set[str]:
    """Return every distribution that `pip install aiglabel` brings, transitively."""
    seen: set[str] = set()
    waiting = list(DEPENDENCIES)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        waiting += [Requirement(line) for line in metadata.requires(name) or ()]
    return seen


def test_notices_name_every_package_that_is_installed_with_us() -> None:
    text = (ROOT / "THIRD_PARTY_NOTICES.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\w.-]+) \| (\S[^|]*) \|", text.split("\n## ")[2], re.MULTILINE)
    named = {canonicalize_name(name) for name, licence in rows if name != "package"}
    assert named == runtime_packages()


def test_licences_are_there() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    assert PROJECT["license"] == "Apache-2.0"
    for pattern in PROJECT["license-files"]:
        assert [*ROOT.glob(pattern)], f"setuptools refuses a pattern without files: {pattern}"
    notices = (ROOT / "THIRD_PARTY_NOTICES.md").read_text("utf-8")
    for folder in (ROOT / "aiglabel/assets").iterdir():
        if folder.is_dir() and any(folder.glob("*.[op][te][fm]")):
            assert f"`aiglabel/assets/{folder.name}/`" in notices, folder
    for font in (ROOT / "aiglabel/assets").rglob("*.otf"):
        assert "SIL OPEN FONT LICENSE" in (font.parent / "OFL.txt").read_text("utf-8").upper()


def test_the_changelog_knows_this_version() -> None:
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


# --- clean files --------------------------------------------------------------------------------

# Somebody's machine or private network; written so that this file does not find itself.
PRIVATE = re.compile(
    r"file:/{3}|--(?:(?:extra-)?index-url|find-links|trusted-host)\b"
    r"|https?://(?:[\w.-]+@|10\.\d|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)"
    r"|https?://[\w.-]+\.(?:internal|intranet|corp|lan|local)\b"
    r"|https?://[\w.-]*(?:artifactory|devpi|nexus|mirror)[\w.-]*/"
    r"|(?<![\w.])/(?:root|work|opt/(?:pypi|wheels))/"
)


def project_files() -> list[Path]:
    """Return the files git knows or would take in; all of them where there is no git."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        hidden = {".venv", ".git", "build", "dist", "out", "input", "__pycache__"}
        return [
            path
            for path in ROOT.rglob("*")
            if path.is_file() and not hidden & set(path.relative_to(ROOT).parts)
        ]
    paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_private_host_or_machine() -> None:
    found = []
    for path in project_files():
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in PRIVATE.finditer(text)]
    assert not found


def test_make_names_only_files_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for name in re.findall(r"samples/\w+\.(?:py|sh)|requirements/\S+", makefile):
        assert (ROOT / name).is_file(), name
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    assert {"demo", "test", "bench", "bench-full", "lint", "type", "samples", "clean"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE), target
