"""The command line: exit codes, streams, settings, records, documentation."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import sounds
import typer
from film_files import TITLE, ffmpeg, fmt_of, made, scene
from PIL import Image

from aiglabel.batch import VerifyRecord
from aiglabel.batch.records import State
from aiglabel.cli.app import app, run
from aiglabel.cli.exits import Exit, of_labelling, of_verifying
from aiglabel.cli.output import clean
from aiglabel.cli.page import as_page
from aiglabel.containers import timed
from aiglabel.containers.sniff import VideoFormat
from aiglabel.evidence import Evidence, Status
from aiglabel.media import video as media_video
from aiglabel.report import Compliance, Report, Verdict

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = json.loads((ROOT / "aiglabel/assets/schemas/report-1.json").read_text("utf-8"))
PRODUCER = "001191110102MACQD9K64010000"
Aiglabel = Callable[..., "Done"]


class Done:
    """What one call of the program did."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("AIGLABEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def aiglabel(capsys: pytest.CaptureFixture[str]) -> Aiglabel:
    def call(*arguments: object) -> Done:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return call


def picture(path: Path, side: int = 96) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(3).integers(40, 215, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture(tmp_path / "in/a.jpg")
    picture(tmp_path / "in/sub/夜.png")
    return tmp_path / "in"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("labelled")
    source = picture(root / "source.png")
    done = subprocess.run(
        [sys.executable, "-m", "aiglabel", "label", source, "-o", root / "a.png",
         "--producer", PRODUCER],
        capture_output=True, cwd=root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return root / "a.png"


# --- help, start-up, documentation --------------------------------------------------------------


def commands() -> dict[str, Any]:
    """Return every command by its words."""
    found: dict[str, Any] = {}

    def walk(words: str, command: Any) -> None:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                walk(f"{words} {name}".strip(), inner)
        else:
            found[words] = command

    walk("", typer.main.get_command(app))
    return found


COMMANDS = commands()


@pytest.mark.parametrize("words", ["", "cert", "policy", *COMMANDS])
def test_every_command_helps(aiglabel: Aiglabel, words: str) -> None:
    done = aiglabel(*words.split(), "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: aiglabel {words}".strip())
    assert not done.err


def test_every_command_and_option_is_documented_and_explained() -> None:
    page = (ROOT / "docs/cli.md").read_text("utf-8")
    for words, command in COMMANDS.items():
        assert f"`{words}`" in page, words
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{words}: {parameter.name}"
            for option in parameter.opts + parameter.secondary_opts:
                if option.startswith("--"):
                    assert re.search(rf"`{option}\b", page) or option == "--help", (words, option)


def test_documented_exit_codes_are_those_of_the_program() -> None:
    page = (ROOT / "docs/cli.md").read_text("utf-8")
    table = page.split("## Exit codes")[1].split("##")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == set(Exit)


def test_version(aiglabel: Aiglabel) -> None:
    assert re.fullmatch(r"aiglabel \d+\.\d+.*\n", aiglabel("--version").out)


# --- label --------------------------------------------------------------------------------------


def test_folders_are_mirrored_and_every_file_has_its_own_number(
    aiglabel: Aiglabel, folder: Path, tmp_path: Path
) -> None:
    done = aiglabel("label", folder, "-o", "out", "--producer", PRODUCER, "--content-id-prefix",
                    "shop-", "--model", "m", "--format", "json", "--report",
                    "r/all.jsonl")  # fmt: skip
    assert done.code == 0, done.err
    assert {one.relative_to(tmp_path / "out").as_posix()
            for one in (tmp_path / "out").rglob("*.*")} == {"a.jpg", "sub/夜.png"}  # fmt: skip
    records = done.json["records"]
    assert done.json["schema"] == "aiglabel.run/1"
    assert done.json["counts"] == {"ok": 2}
    lines = Path("r/all.jsonl").read_text("utf-8").splitlines()
    assert records == [json.loads(line) for line in lines]
    assert len({one["label"]["content_id"] for one in records}) == 2
    assert len({one["payload"] for one in records}) == 2
    for one in records:
        assert set(one) == {
            "schema", "file", "destination", "status", "error", "label", "marks", "payload",
            "quality", "sizes", "timings", "notes",
        }  # fmt: skip
        assert re.fullmatch(r"shop-[0-9a-f]{32}", one["label"]["content_id"])
        assert one["label"]["model"] == "m"
        assert set(one["marks"][0]) == {"mark", "written", "detail", "facts"}
    assert [one["file"] for one in records] == [str(folder / "a.jpg"), str(folder / "sub/夜.png")]


def test_one_bad_file_does_not_stop_the_others(aiglabel: Aiglabel, folder: Path) -> None:
    (folder / "a0.png").write_bytes(b"no picture")
    done = aiglabel("label", folder, folder / "gone.jpg", "-o", "out", "--producer", PRODUCER,
                    "--format", "jsonl")  # fmt: skip
    assert done.code == 1
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [one["status"] for one in records] == ["ok", "failed", "ok", "failed"]
    assert set(records[1]["error"]) == {"type", "reason", "remedy", "path"}
    assert done.err.count("aiglabel: error: ") == len(done.err.splitlines()) == 2
    assert "Traceback" not in done.err


def test_an_existing_result_is_refused_and_the_others_go_on(
    aiglabel: Aiglabel, folder: Path
) -> None:
    old = Path("out/a.jpg")
    old.parent.mkdir()
    old.write_bytes(b"old")
    arguments = ("label", folder, "-o", "out", "--metadata-only", "--producer", PRODUCER)
    done = aiglabel(*arguments)
    assert done.code == 1
    assert "--force" in done.err
    assert old.read_bytes() == b"old"
    assert Path("out/sub/夜.png").exists()
    assert aiglabel(*arguments, "--force").code == 0
    assert old.read_bytes() != b"old"


def test_a_rehearsal_writes_nothing(aiglabel: Aiglabel, folder: Path, tmp_path: Path) -> None:
    (folder / "b.jpg").write_bytes(b"no picture")
    before = sorted(tmp_path.rglob("*"))
    done = aiglabel("label", folder, "-o", "out", "--producer", PRODUCER, "--dry-run",
                    "--format", "json")  # fmt: skip
    assert done.code == 1
    assert done.json["counts"] == {"failed": 1, "skipped": 2}
    assert sorted(tmp_path.rglob("*")) == before


def test_a_mark_that_cannot_be_written_is_told_by_the_exit_code(
    aiglabel: Aiglabel, folder: Path
) -> None:
    Image.new("RGB", (20, 20)).save("tiny.png")
    done = aiglabel("label", "tiny.png", "-o", "out.png", "--producer", PRODUCER)
    assert done.code == 3
    assert "incomplete" in done.out
    assert "too small" in done.out


def test_the_label_of_another_is_kept(aiglabel: Aiglabel, folder: Path) -> None:
    once = ("--metadata-only", "--producer", PRODUCER, "--content-id", "1")
    assert aiglabel("label", folder / "a.jpg", "-o", "1.jpg", *once).code == 0
    done = aiglabel("label", "1.jpg", "-o", "2.jpg", "--metadata-only", "--producer", "another")
    assert done.code == 0
    assert "kept" in done.out
    refused = aiglabel("label", "1.jpg", "-o", "3.jpg", "--metadata-only", "--producer",
                       "another", "--existing", "refuse")  # fmt: skip
    assert refused.code == 1
    assert not Path("3.jpg").exists()


@pytest.mark.parametrize("kind", ["possible", "suspected"])
def test_platforms_label_what_they_spread(aiglabel: Aiglabel, folder: Path, kind: str) -> None:
    done = aiglabel("label", folder / "a.jpg", "-o", "out", "--kind", kind, "--propagator", "plat",
                    "--metadata-only", "--producer", PRODUCER, "--format", "json")  # fmt: skip
    (record,) = done.json["records"]
    assert record["label"]["kind"] == kind
    assert record["label"]["propagator"] == "plat"
    assert len(record["label"]["propagate_id"]) == 32
    assert record["label"]["producer"] == record["label"]["content_id"] == ""


def test_the_development_signer_signs(aiglabel: Aiglabel, folder: Path) -> None:
    done = aiglabel("label", folder / "a.jpg", "-o", "out", "--policy", "eu", "--signer", "dev",
                    "--producer", PRODUCER)  # fmt: skip
    assert done.code == 0, done.err + done.out
    shown = aiglabel("inspect", "out/a.jpg", "--format", "json").json
    assert shown["marks"]["credentials"]["facts"]["trust"] == "dev"
    assert shown["xmp"][0].startswith("<?xpacket") or "x:xmpmeta" in shown["xmp"][0]
    assert "AISystem" in str(shown) or shown["marks"]["iptc"]["status"] == "present"


# --- usage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("label in -o out", "needs a producer"),
        ("label in -o out --kind suspected", "needs a propagator"),
        ("label in", "Missing option"),
        ("label in -o out --nonsense", "No such option"),
        ("label in -o out --producer x --content-id 1", "names one content, here are 2"),
        ("label in -o out --producer x --policy nowhere", "no policy preset 'nowhere'"),
        ("label in -o out --producer x --policy nowhere.toml", "cannot be read"),
        ("label in -o out --producer x --policy eu", "--signer"),
        ("label in -o out --producer x --signer chain.pem", "--signer-key"),
        ("label in -o out --producer x --signer dev --tsa http://t", "time-stamping"),
        ("label in -o out --producer x --strength brutal", "brutal"),
        ("label in -o out --producer x --position midde", "midde"),
        ("label in -o out --producer with\\backslash", "Annex E does not allow"),
        (f"label in -o out --producer {PRODUCER[:-8]}99999999", PRODUCER[:-8]),
        ("label in -o out --producer x --report r.html", "suffix"),
        ("label in -o out --producer x --quality 101", "--quality"),
        ("verify in --report r.txt", "suffix"),
        ("verify in --trust everybody", "everybody"),
        ("verify in --effort fulll", "Did you mean 'full'?"),
        ("label in in/sub -o in --producer x", "source itself"),
        ("verify", "Missing argument"),
        ("policy show nowhere", "nowhere"),
        ("nonsense", "No such command"),
    ],
)
def test_wrong_usage_does_nothing_and_returns_2(
    aiglabel: Aiglabel, folder: Path, tmp_path: Path, arguments: str, words: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = aiglabel(*arguments.split())
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err
    assert not done.out
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("label empty -o out --producer x", "no picture"),
        ("label in -o out --producer x --key gone.key", "cannot read the key"),
        ("label in -o out --producer x --report in/a.jpg/r.json", "folder cannot be made"),
        ("label in -o out --producer x --signer gone.pem --signer-key gone.key", "gone.pem"),
        ("verify in --trust-file gone.pem", "trust list cannot be read"),
        ("inspect gone.jpg", "cannot be read"),
        ("cert check gone.pem", "cannot be read"),
        ("keygen new.key --passphrase-env NOT_SET", "NOT_SET"),
    ],
)
def test_what_cannot_be_read_returns_1(
    aiglabel: Aiglabel, folder: Path, arguments: str, words: str
) -> None:
    Path("empty").mkdir()
    done = aiglabel(*arguments.split())
    assert done.code == 1
    assert words in done.err
    assert "Traceback" not in done.err


def test_verbose_shows_where(aiglabel: Aiglabel) -> None:
    import logging

    root, own = logging.getLogger(), logging.getLogger("aiglabel")
    level = own.level
    own.setLevel(logging.INFO)
    try:
        assert "Traceback" in aiglabel("inspect", "gone.jpg").err
    finally:
        own.setLevel(level)
    assert root.level in (logging.WARNING, logging.NOTSET)


# --- verify -------------------------------------------------------------------------------------


def test_verify_says_by_its_exit_code_what_it_found(
    aiglabel: Aiglabel, folder: Path, labelled: Path
) -> None:
    good = aiglabel("verify", labelled)
    assert (good.code, good.err) == (0, "")
    assert "AI-generated" in good.out
    assert "生成合成内容" in good.out
    assert aiglabel("verify", folder).code == 4
    assert aiglabel("verify", labelled, folder).code == 3
    assert aiglabel("verify", labelled, "gone.png").code == 1
    Path("notes.txt").write_text("no picture")
    assert aiglabel("verify", "notes.txt").code == 5
    assert aiglabel("verify", labelled, "notes.txt").code == 5
    assert aiglabel("verify", labelled, "notes.txt", folder).code == 3
    assert "possible" in aiglabel("verify", folder, "--declared").out


def test_verify_reports_in_every_form(aiglabel: Aiglabel, labelled: Path, folder: Path) -> None:
    done = aiglabel("verify", labelled, "gone.png", "--format", "json", "--report", "r.json")
    records = done.json["records"]
    assert json.loads(Path("r.json").read_text("utf-8")) == done.json
    assert [set(one) for one in records] == [{"schema", "file", "status", "error", "report"}] * 2
    assert records[0]["report"]["schema"] == "aiglabel.report/1"
    assert records[1]["report"] is None
    assert records[1]["error"]["reason"].startswith("cannot be read")
    lines = aiglabel("verify", folder, "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["ok", "ok"]
    aiglabel("verify", labelled, folder, "gone.png", "--report", "r.html")
    page = Path("r.html").read_text("utf-8")
    assert page.count("<article") == 4
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert not re.search(r"(src|href)=", page)
    assert "夜.png" in page
    assert "可能" not in page.split("<main>")[0]


def test_where_the_watermark_is_shows_in_every_form(aiglabel: Aiglabel, tmp_path: Path) -> None:
    source = picture(tmp_path / "in.png", 320)
    Image.open(source).crop((0, 0, 320, 240)).save(source)
    assert aiglabel("label", source, "-o", "out.png", "--producer", PRODUCER).code == 0
    half = np.array(Image.open("out.png").convert("RGB"))
    half[:, 160:] = np.array(Image.open(source))[:, 160:]
    Image.fromarray(half).save("half.png")
    done = aiglabel("verify", "half.png", "--effort", "quick", "--report", "r.html")
    assert done.out.count("of the picture; where it was not") == 1
    page = Path("r.html").read_text("utf-8")
    (drawn,) = re.findall(r'<svg class="map" role="img".*?</svg>', page)
    assert 'width="288" height="216" viewBox="0 0 32 24"' in drawn
    fields = re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", drawn)
    assert all(int(x) + int(length) <= 32 and int(y) < 24 for x, y, length in fields)
    assert "style=" not in page
    assert "约" in page
    assert "标准差" in page
    report = aiglabel("verify", "half.png", "--format", "json").json["records"][0]["report"]
    (seen,) = [one["presence"] for one in report["evidence"] if one["mark"] == "watermark"]
    assert sum(int(one[2]) for one in fields) == sum(value >= 3 for row in seen for value in row)
    shown = aiglabel("inspect", "half.png", "--effort", "quick").out
    assert len(re.findall(r"^      \d+:(?: -?\d+\.\d){32}$", shown, re.MULTILINE)) == 24


@pytest.mark.parametrize("command", ["verify", "inspect"])
def test_effort_comes_from_flag_environment_or_file(
    aiglabel: Aiglabel, labelled: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def effort(*arguments: str) -> str:
        done = aiglabel(command, labelled, "--format", "json", *arguments).json
        if command == "inspect":
            return str(done["marks"]["watermark"]["facts"]["effort"])
        (mark,) = [one for one in done["records"][0]["report"]["evidence"]
                   if one["mark"] == "watermark"]  # fmt: skip
        return str(mark["facts"]["effort"])

    assert effort() == "full"
    Path("aiglabel.toml").write_text('extends = "cn"\n[watermark]\neffort = "quick"\n')
    assert effort() == "quick"
    monkeypatch.setenv("AIGLABEL_EFFORT", "thorough")
    assert effort() == "thorough"
    assert effort("--effort", "quick") == "quick"
    shown = aiglabel("policy", "show", "--origin").out
    assert 'effort = "quick"  # aiglabel.toml' in shown


def test_only_the_key_that_marked_finds_the_mark(aiglabel: Aiglabel, folder: Path) -> None:
    assert aiglabel("keygen", "one.key").code == 0
    assert oct(Path("one.key").stat().st_mode & 0o777) == "0o600"
    assert aiglabel("keygen", "one.key").code == 1
    secret = Path("one.key").read_text()
    aiglabel("label", folder / "a.jpg", "-o", "out", "--producer", PRODUCER, "--key", "one.key")

    def status(*arguments: str) -> str:
        done = aiglabel("inspect", "out/a.jpg", "--format", "json", *arguments)
        assert secret.strip() not in done.out + done.err
        return str(done.json["marks"]["watermark"]["status"])

    assert status() == "absent"
    assert status("--key", "one.key") == "present"


def test_passphrases_give_the_same_key_again(
    aiglabel: Aiglabel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORDS", "correct horse battery staple")
    aiglabel("keygen", "1.key", "--passphrase-env", "WORDS")
    done = aiglabel("keygen", "2.key", "--passphrase-env", "WORDS")
    assert Path("1.key").read_bytes() == Path("2.key").read_bytes()
    assert "horse" not in done.out + done.err


# --- settings -----------------------------------------------------------------------------------


def text_and_origin(aiglabel: Aiglabel, *arguments: str) -> tuple[str, str]:
    done = aiglabel("policy", "show", "--origin", "--format", "json", *arguments)
    assert done.code == 0, done.err
    return done.json["policy"]["overlay"]["text"], done.json["origins"]["overlay.text"]


def test_flags_win_over_environment_over_file_over_preset(
    aiglabel: Aiglabel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert text_and_origin(aiglabel) == ("AI生成", "preset cn")
    Path("aiglabel.toml").write_text('extends = "eu"\n[overlay]\ntext = "AI合成"\n', "utf-8")
    assert text_and_origin(aiglabel) == ("AI合成", "aiglabel.toml")
    monkeypatch.setenv("AIGLABEL_TEXT", "由AI生成")
    assert text_and_origin(aiglabel) == ("由AI生成", "environment AIGLABEL_TEXT")
    assert text_and_origin(aiglabel, "--text", "AI制作") == ("AI制作", "flag --text")
    monkeypatch.delenv("AIGLABEL_TEXT")
    assert text_and_origin(aiglabel, "--policy", "cn") == ("AI生成", "preset cn")
    Path("mine.toml").write_text('extends = "aiglabel2.toml"\n[overlay]\nstyle = "pill"\n')
    Path("aiglabel2.toml").write_text('[overlay]\ntext = "AI合成"\n', "utf-8")
    assert text_and_origin(aiglabel, "mine.toml") == ("AI合成", "aiglabel2.toml")
    shown = aiglabel("policy", "show", "mine.toml", "--origin").out
    assert 'style = "pill"  # mine.toml' in shown
    assert 'strength = "balanced"  # default' in shown


def test_what_policy_show_prints_is_that_policy_again(aiglabel: Aiglabel) -> None:
    shown = aiglabel("policy", "show", "global", "--text", 'AI生成"\\')
    Path("again.toml").write_text(shown.out, "utf-8")
    assert aiglabel("policy", "show", "again.toml").out == shown.out
    Path("film.toml").write_text("[film]\nat = [[10, 15], [60, 62.5]]\n")
    assert "at = [[10.0, 15.0], [60.0, 62.5]]" in aiglabel("policy", "show", "film.toml").out
    assert "global" in aiglabel("policy", "list").out


def test_the_file_names_producer_key_and_signer(
    aiglabel: Aiglabel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path("home")
    home.mkdir()
    aiglabel("keygen", home / "my.key")
    (home / "settings.toml").write_text(
        f'extends = "cn"\n[label]\nproducer = "{PRODUCER}"\nmodel = "from-file"\n'
        '[key]\nfile = "my.key"\n[signer]\nchain = "dev"\n'
    )
    monkeypatch.setenv("AIGLABEL_CONFIG", str(home / "settings.toml"))
    monkeypatch.setenv("AIGLABEL_MODEL", "from-environment")
    done = aiglabel("label", folder / "a.jpg", "-o", "out", "--format", "json")
    (record,) = done.json["records"]
    assert record["label"]["producer"] == PRODUCER
    assert record["label"]["model"] == "from-environment"
    assert [one["mark"] for one in record["marks"]][-1] == "credentials"
    assert aiglabel("verify", "out/a.jpg").code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[label]\nproduzer = 'x'", "Did you mean 'producer'?"),
        ("[label]\nproducer = 1", "label.producer is a text"),
        ("key = 1", "key is a table"),
        ("[signer]\npassword = 'secret'", "no setting 'password'"),
        ("[overlay]\ntxet = 'x'", "overlay.txet"),
        ("extends = 1", "extends names one"),
        ("extends = 'aiglabel.toml'", "circle"),
        ("no toml", "not TOML"),
    ],
)
def test_misspelt_settings_are_refused(aiglabel: Aiglabel, text: str, words: str) -> None:
    Path("aiglabel.toml").write_text(text)
    done = aiglabel("policy", "show")
    assert done.code == 2
    assert words in done.err
    assert "secret" not in done.err


# --- cert, rules, doctor ------------------------------------------------------------------------


def test_the_development_certificate_is_loudly_untrusted(aiglabel: Aiglabel) -> None:
    done = aiglabel("cert", "dev")
    assert "NOT TRUSTED" in done.err
    assert aiglabel("cert", "dev", "--format", "json").json["trusted"] is False
    chain = aiglabel("cert", "dev", "--format", "json").json["chain"]
    check = aiglabel("cert", "check", chain, "--key", Path(chain).with_name("key.pem"))
    assert check.code == 0
    root = Path(chain).with_name("root.pem")
    bad = aiglabel("cert", "check", root, "--format", "json")
    assert bad.code == 3
    assert any(one["severity"] == "error" for one in bad.json)


def test_rules_are_listed(aiglabel: Aiglabel) -> None:
    listed = aiglabel("rules", "--format", "json").json
    assert {"id", "severity", "clause", "title"} == set(listed[0])
    assert all(f"{one['id']} " in aiglabel("rules").out for one in listed)


def test_doctor_finds_this_machine_well(aiglabel: Aiglabel) -> None:
    done = aiglabel("doctor", "--format", "json")
    wrong = {name: one["detail"] for name, one in done.json["checks"].items() if not one["ok"]}
    assert not wrong
    assert done.code == 0


# --- streams ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("夜色 é.png\nnext", "夜色 é.png\nnext"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("gpj.\u202etxt", "gpj.\\u202etxt"),
        ("a\rb\x9bc", "a\\x0db\\x9bc"),
    ],
)
def test_hostile_text_reaches_no_terminal(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_hostile_names_stay_text_in_the_page(aiglabel: Aiglabel) -> None:
    from aiglabel.batch import verify_failed
    from aiglabel.errors import MediaError

    name = "<script>alert(1)</script>'\"&\x1b.png"
    page = as_page([verify_failed(name, MediaError("bad <b>", path=name))])
    assert "<script" not in page
    assert "bad <b>" not in page
    assert "\x1b" not in page


def film_report(**evidence: dict[str, Any]) -> Report:
    return Report(
        file="a.mp4", sha256="0" * 64, verdict=Verdict.SUSPECTED, compliance=Compliance.COMPLIANT,
        media={
            "kind": "video", "format": "mp4", "width": 1920, "height": 1080, "seconds": 60.0,
            "rate": 29.97, "codec": "h264", "sound": True,
        },
        evidence=tuple(
            Evidence(mark=mark, status=Status.PRESENT, facts=facts)
            for mark, facts in evidence.items()
        ),
        findings=(), policy="cn", trust="default", checked_at="2026-11-22T12:00:00+00:00",
        version="1",
    )  # fmt: skip


def test_the_page_draws_when_a_film_shows_its_marks() -> None:
    report = film_report(
        overlay={"spans": [[0.0, 3.0]]}, watermark={"spans": [[0.0, 30.0], [45.0, 60.0]]}
    )
    jsonschema.validate(json.loads(report.to_json()), SCHEMA)
    page = as_page([VerifyRecord(file="a.mp4", status=State.OK, report=report)])
    assert "film 视频, mp4, h264, 1920 × 1080, 60.0 s, 29.97 fps, with sound 有声" in page
    assert 'd="M0.0 0H144.0V1H0.0zM216.0 0H288.0V1H216.0z"' in page
    for text in (page, str(report)):
        assert "Found in these seconds: 0.0–30.0, 45.0–60.0." in text
        assert "检出时段(秒):0.0–30.0、45.0–60.0。" in text
    many = film_report(watermark={"spans": [[one, one + 0.5] for one in range(9)]})
    assert "7.0–7.5, …." in str(many)
    assert "seconds" not in str(film_report(watermark={"spans": []}))


@pytest.mark.parametrize(
    ("payload", "words"),
    [("00" * 8, "another payload: 0000000000000000"), (None, "carries a watermark too")],
)
def test_reports_say_where_sound_and_frames_of_a_film_disagree(payload: Any, words: str) -> None:
    seen = {"spans": [[0.0, 3.0]], "sound": {"payload": payload}}
    report = replace(film_report(), evidence=(replace(
        film_report(watermark=seen).evidence[0], payload="11" * 8), ))  # fmt: skip
    assert words in str(report)
    assert words in as_page([VerifyRecord(file="a.mp4", status=State.OK, report=report)])
    assert "sound track" not in str(film_report(watermark={"sound": {"payload": payload}}))


def program(*arguments: object, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "aiglabel", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment},
        start_new_session=True,
        # A shell's background jobs ignore Ctrl-C, and so would what they start.
        preexec_fn=None if os.name == "nt" else partial(
            signal.signal, signal.SIGINT, signal.default_int_handler
        ),
    )  # fmt: skip


def test_chinese_text_comes_out_where_the_locale_knows_none() -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    out, err = program("policy", "show", "cn", **plain).communicate()
    assert b"AI\\u751f\\u6210" in out
    assert not err
    out, _ = program("policy", "show", "cn", "--format", "json", **plain).communicate()
    assert json.loads(out)["overlay"]["text"] == "AI生成"


def test_a_closed_pipe_is_no_error() -> None:
    running = program("rules")
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    assert running.stderr.read() == b""
    running.stderr.close()
    running.wait()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_an_interrupted_run_leaves_nothing_half_done(tmp_path: Path) -> None:
    for index in range(30):
        picture(tmp_path / f"in/{index:02d}.png", side=400)
    running = program("label", "in", "-o", "out", "--producer", PRODUCER, "--workers", "1",
                      "--report", "r.jsonl")  # fmt: skip
    while len(list(tmp_path.glob("out/*.png"))) < 2:
        time.sleep(0.05)
        assert running.poll() is None
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=30)
    assert running.returncode == Exit.INTERRUPTED
    assert b"interrupted" in err
    assert b"Traceback" not in err
    written = sorted(tmp_path.glob("out/*"))
    assert 2 <= len(written) < 30
    for path in written:
        Image.open(path).load()
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) in (len(written), len(written) - 1)


# --- exit codes ---------------------------------------------------------------------------------


def test_the_worst_file_counts() -> None:
    assert of_labelling([]) is Exit.OK
    assert of_verifying([]) is Exit.OK


@pytest.mark.parametrize("output", ["", "out.bmp", "out.jpgg"])
def test_outputs_that_are_neither_picture_nor_folder(
    aiglabel: Aiglabel, folder: Path, output: str
) -> None:
    before = sorted(Path().iterdir())
    done = aiglabel("label", folder / "a.jpg", "-o", output, "--producer", PRODUCER)
    assert done.code == 2
    assert sorted(Path().iterdir()) == before


def test_a_line_end_in_a_name_forges_no_line(aiglabel: Aiglabel, folder: Path) -> None:
    (folder / "a.jpg").rename(folder / "x\nok            forged.jpg")
    done = aiglabel("verify", folder)
    assert not any(line.startswith("ok ") for line in done.out.splitlines())


# --- sounds -------------------------------------------------------------------------------------


def test_a_folder_of_pictures_and_sounds_is_labelled_and_verified(
    aiglabel: Aiglabel, tmp_path: Path
) -> None:
    picture(tmp_path / "in/a.png", 256)
    for name in ("b.mp3", "c.wav"):
        (tmp_path / "in" / name).write_bytes(sounds.coded(Path(name).suffix))
    (tmp_path / "in/broken.flac").write_bytes(b"fLaC and no more")
    done = aiglabel("label", "in", "-o", "out", "--producer", PRODUCER, "--format", "jsonl")
    assert done.code == Exit.ERROR
    records = {Path(one["file"]).name: one for one in map(json.loads, done.out.splitlines())}
    assert records["broken.flac"]["status"] == "failed"
    assert records["b.mp3"]["status"] == records["a.png"]["status"] == "ok"
    assert records["c.wav"]["quality"]["snr_db"] > 20
    assert aiglabel("verify", "out", "--report", "report.html").code == Exit.OK
    page = Path("report.html").read_text("utf-8")
    assert "Audible label 音频显式标识" in page
    assert "16000 Hz, 1 ch" in page
    shown = aiglabel("inspect", "out/b.mp3", "--format", "json").json
    assert shown["media"]["codec"] == "mp3"
    assert any(one["key"] == "AIGC" for one in shown["texts"])


@pytest.mark.parametrize("name", ["mp4", "mkv", "avi", "flv"])
def test_a_film_is_inspected(aiglabel: Aiglabel, name: str) -> None:
    Path("film").write_bytes(timed.write_label(made(name), fmt_of(name), '{"Label":"1"}'))
    done = aiglabel("inspect", "film", "--format", "json")
    assert done.code == Exit.OK, done.err
    shown = done.json
    assert shown["media"]["format"] == name
    assert shown["marks"]["aigc"]["facts"]["carrier"] == timed.canonical_carrier(fmt_of(name))
    assert shown["marks"]["credentials"]["status"] == "absent"
    assert {'{"Label":"1"}', TITLE} <= {one["text"] for one in shown["texts"]}
    kinds = [track["kind"] for track in shown["tracks"]]
    assert kinds[:2] == ["video", "audio"]
    text = aiglabel("inspect", "film").out
    assert "tracks:" in text
    assert TITLE in text
    Path("half").write_bytes(made(name)[: len(made(name)) // 2])
    assert aiglabel("inspect", "half").code == Exit.OK


def test_options_of_the_audible_label(aiglabel: Aiglabel, tmp_path: Path) -> None:
    Path("a.wav").write_bytes(sounds.coded())
    Path("own.wav").write_bytes(sounds.coded(seconds=2.0))
    common = ("--producer", PRODUCER, "--format", "json")

    def labelled(*options: str) -> dict[str, Any]:
        done = aiglabel("label", "a.wav", "-o", "out.wav", "--force", *common, *options)
        assert done.code == Exit.OK, done.err
        marks: list[dict[str, Any]] = done.json["records"][0]["marks"]
        return {one["mark"]: one["facts"] for one in marks}

    assert labelled("--audible", "rhythm")["audible"]["form"] == "rhythm"
    assert labelled("--say", "AI合成")["audible"]["text"] == "AI合成"
    assert labelled("--voice", "own.wav", "--say", "由AI生成")["audible"]["text"] == "由AI生成"
    assert set(labelled("--no-overlay")) == {"watermark", "aigc"}
    assert set(labelled("--metadata-only")) == {"aigc"}
    done = aiglabel("label", "a.wav", "-o", "b.wav", "--say", "你好", *common)
    assert done.code == Exit.USAGE
    assert "no spoken label says" in done.err
    assert not Path("b.wav").exists()


def test_a_rehearsal_knows_sounds(aiglabel: Aiglabel, tmp_path: Path) -> None:
    Path("a.m4a").write_bytes(sounds.coded(".m4a"))
    common = ("--producer", PRODUCER, "--dry-run")
    assert aiglabel("label", "a.m4a", "-o", "out.mp3", *common).code == Exit.OK
    refused = aiglabel("label", "a.m4a", "-o", "out.png", *common)
    assert refused.code == Exit.ERROR
    assert "no sound format has the suffix" in refused.out + refused.err


# --- films --------------------------------------------------------------------------------------


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(scene())
    return path


def test_a_film_is_labelled_and_verified(aiglabel: Aiglabel, film: Path) -> None:
    common = ("--producer", PRODUCER, "--format", "json")
    done = aiglabel("label", film, "-o", "out.mkv", *common, "--film-whole", "--speak",
                    "--codec", "hevc", "--preset", "ultrafast", "--crf", "24")  # fmt: skip
    assert done.code == Exit.OK, done.err
    (record,) = done.json["records"]
    marks = {one["mark"]: one["facts"] for one in record["marks"]}
    assert list(marks) == ["audible", "overlay", "watermark", "aigc"]
    assert marks["overlay"]["frames"] == 30
    assert record["quality"]["psnr_db"] > 40
    coding = media_video.probe("out.mkv")
    assert (coding.codec, coding.container) == ("hevc", VideoFormat.MKV)
    assert aiglabel("verify", "out.mkv", "--report", "report.html").code == Exit.OK
    text = aiglabel("verify", "out.mkv").out
    page = Path("report.html").read_text("utf-8")
    for words in ("Found in these seconds: 0.0–3.0.", "The sound track carries the same payload."):
        assert words in text
        assert words in page
    assert "film 视频, mkv, hevc, 320 × 240, 3.1 s, 10 fps, with sound 有声" in page
    shown = aiglabel("inspect", "out.mkv", "--format", "json").json
    assert shown["media"]["kind"] == "video"
    assert [track["codec"] for track in shown["tracks"]] == ["hevc", "aac"]


def test_of_a_film_only_what_is_asked_for_is_changed(aiglabel: Aiglabel, film: Path) -> None:
    common = ("--producer", PRODUCER, "--format", "json")

    def coded(path: Path | str, track: str) -> bytes:
        return ffmpeg("-i", str(path), "-map", f"0:{track}", "-c", "copy", "-f", "md5", "-")

    kept = aiglabel("label", film, "-o", "kept.mp4", *common, "--keep-sound", "--film-end",
                    "--film-seconds", "2.5", "--film-at", "1-1.5")  # fmt: skip
    assert kept.code == Exit.OK, kept.err
    assert coded("kept.mp4", "a") == coded(film, "a")
    assert coded("kept.mp4", "v") != coded(film, "v")
    Path("aiglabel.toml").write_text('extends = "cn"\n[film]\nspeak = true\n')
    bare = aiglabel("label", film, "-o", "bare.mp4", *common, "--metadata-only")
    assert [one["mark"] for one in bare.json["records"][0]["marks"]] == ["aigc"]
    assert coded("bare.mp4", "v") == coded(film, "v")
    assert coded("bare.mp4", "a") == coded(film, "a")


def test_film_options_are_settings_of_the_policy(
    aiglabel: Aiglabel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIGLABEL_FILM_AT", "10-15 60-62.5")
    shown = aiglabel("policy", "show", "--film-seconds", "4", "--film-end", "--film-card", "2.5",
                     "--speak", "--origin",
                     "--format", "json").json  # fmt: skip
    film = shown["policy"]["film"]
    assert film == {"seconds": 4.0, "whole": False, "end": True, "speak": True, "sound": True,
                    "at": [[10.0, 15.0], [60.0, 62.5]], "card": 2.5}  # fmt: skip
    assert shown["origins"]["film.at"] == "environment AIGLABEL_FILM_AT"
    assert shown["origins"]["film.seconds"] == "flag --film-seconds"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--codec h265", "none of h264, hevc"),
        ("--crf 64", "--crf"),
        ("--film-seconds 1", "2 seconds at least"),
        ("--film-at 3-1", "to a later one"),
        ("--film-at 3", "to a later one"),
        ("--film-at soon", "not seconds"),
        ("--speak --keep-sound", "--speak"),
    ],
)
def test_wrong_options_of_films(aiglabel: Aiglabel, options: str, words: str) -> None:
    done = aiglabel("label", "film.mp4", "-o", "out", "--producer", "x", *options.split())
    assert done.code == Exit.USAGE
    assert words in done.err
    assert not Path("out").exists()


def test_a_film_that_cannot_be_written_so_is_told(aiglabel: Aiglabel, film: Path) -> None:
    done = aiglabel("label", film, "-o", "out.webm", "--producer", PRODUCER, "--codec", "hevc")
    assert done.code == Exit.ERROR
    assert "WEBM is not written with hevc" in done.err
    done = aiglabel("label", film, "-o", "out.mp4", "--producer", PRODUCER, "--preset", "hasty")
    assert done.code == Exit.ERROR
    assert "hasty" in done.err
    Path("cut.mp4").write_bytes(film.read_bytes()[:-100])
    done = aiglabel("label", "cut.mp4", "-o", "out.mp4", "--producer", PRODUCER)
    assert done.code == Exit.ERROR
    assert "Get the whole file" in done.err
    assert sorted(Path().iterdir()) == [Path("cut.mp4"), Path("film.mp4")]


def test_a_rehearsal_does_not_read_a_film_whole(aiglabel: Aiglabel, film: Path) -> None:
    with film.open("ab") as file:
        file.truncate(1 << 30)  # a hole: more than what is ever read into memory
    common = ("--producer", PRODUCER, "--dry-run")
    assert aiglabel("label", film, "-o", "out.mov", *common).code == Exit.OK
    refused = aiglabel("label", film, "-o", "out.mp3", *common)
    assert refused.code == Exit.ERROR
    assert "no video format has the suffix '.mp3'" in refused.err


def test_a_bar_shows_how_far_a_film_is(
    aiglabel: Aiglabel, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    common = ("--producer", PRODUCER, "--preset", "ultrafast", "--keep-sound")
    assert "%" not in aiglabel("label", film, "-o", "1.mp4", *common).err
    done = aiglabel("label", film, "-o", "2.mp4", *common, "--progress")
    assert done.code == Exit.OK
    assert "film.mp4" in done.err
    assert "%" in done.err
    film.rename("film\x1b[bold]\n.mp4")
    done = aiglabel("label", *Path().glob("*.mp4"), "-o", "out", *common, "--progress",
                    "--workers", "1")  # fmt: skip
    assert done.code == Exit.OK, done.err
    assert "3 of 3 files" in done.err
    assert "film\\x1b[bold]\\n.mp4" in done.err


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_film_leaves_nothing(film: Path, tmp_path: Path, workers: int) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "in" / name).write_bytes(scene(30.0))
    (tmp_path / "temporary").mkdir()
    running = program("label", tmp_path / "in", "-o", tmp_path / "out", "--producer", PRODUCER,
                      "--preset", "placebo", "--keep-sound", "--workers", workers,
                      TMPDIR=str(tmp_path / "temporary"))  # fmt: skip

    def encoders() -> list[str]:
        listed = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True).stdout
        return [line for line in listed.splitlines() if f"file:{tmp_path}/out/" in line]

    try:
        begun = time.monotonic()
        while len(encoders()) < workers:
            time.sleep(0.05)
            assert running.poll() is None
            assert time.monotonic() < begun + 30
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        _, err = running.communicate(timeout=30)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
    assert running.returncode == Exit.INTERRUPTED
    assert b"interrupted: 0 of 2 files are done" in err
    assert b"Traceback" not in err
    assert b"error" not in err
    assert not encoders()
    assert not list(tmp_path.glob("out/*"))
    assert not list((tmp_path / "temporary").iterdir())
