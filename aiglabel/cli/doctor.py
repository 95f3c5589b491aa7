"""``aiglabel doctor``: whether everything that is needed works on this machine."""

from __future__ import annotations

import hashlib
import os
import platform
import tomllib
from collections.abc import Callable
from importlib.metadata import version

import typer

from aiglabel.cli.exits import Exit
from aiglabel.cli.options import Shape, ShapeOption
from aiglabel.cli.output import line, say_json
from aiglabel.version import toolkit_version

_PACKAGES = ("numpy", "pillow", "opencv-python-headless", "PyWavelets", "c2pa-python", "pi-heif")
_SIDE = 96


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(shape: ShapeOption = Shape.TEXT) -> None:
    """Check this installation.

    Libraries, ffmpeg and its encoders, font, trust lists, certificate, and a picture, a sound and
    a film labelled and found again.
    """
    results = {name: _outcome(check) for name, check in _CHECKS.items()}
    good = all(ok for ok, _ in results.values())
    if shape is Shape.JSON:
        checks = {name: {"ok": ok, "detail": detail} for name, (ok, detail) in results.items()}
        say_json({"ok": good, "checks": checks})
    else:
        for name, (ok, detail) in results.items():
            line(["ok" if ok else "failed", name], detail)
    raise typer.Exit(Exit.OK if good else Exit.ERROR)


def _outcome(check: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, check()
    except Exception as error:  # whatever it is, it is the answer
        return False, f"{error or type(error).__name__}"


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"aiglabel {toolkit_version()}, Python {platform.python_version()}, {packages}"


def _opencv() -> str:
    import cv2

    return f"{cv2.__version__}, {cv2.getNumThreads()} threads"


def _ffmpeg() -> str:
    from aiglabel.media import ffmpeg_exe

    return ffmpeg_exe()


def _films() -> str:
    from aiglabel.media.video_encoders import CODECS, encoders

    found = encoders()
    for container, codecs in CODECS.items():
        if found[codecs[0]] is None:
            raise ValueError(
                f"no ffmpeg here writes {codecs[0]}, for {container.value.upper()}: install "
                "imageio-ffmpeg, which brings one"
            )
    return ", ".join(f"{codec} by {name or 'none'}" for codec, name in found.items())


def _formats() -> str:
    import numpy as np

    from aiglabel import media
    from aiglabel.containers import Format, SoundFormat
    from aiglabel.media import sound, sound_arrays

    picture = media.from_array(np.full((_SIDE, _SIDE, 3), 128, np.uint8))
    assert isinstance(picture, media.Picture)
    sizes = []
    for fmt in Format:
        coded = media.encode(media.fit(picture, fmt), fmt)
        media.decode(coded)
        sizes.append(fmt.value)
    given, _ = sound_arrays.from_samples(np.zeros(4800, np.int16), 48000)
    for kind in SoundFormat:
        coded = sound.encode(given, target=given.coding.into(kind))
        sound.decode(coded)
        sizes.append(kind.value)
    return f"{', '.join(sizes)} written and read"


def _font() -> str:
    from aiglabel.marks import overlay
    from aiglabel.policy import Policy, preset_names

    texts = [Policy.preset(name).overlay.text for name in preset_names()]
    for text in texts:
        overlay.check(text, None)
    return ", ".join(dict.fromkeys(texts))


def _trust() -> str:
    from aiglabel.marks.credentials.trust import SNAPSHOT

    snapshot = tomllib.loads((SNAPSHOT / "SNAPSHOT.toml").read_text(encoding="utf-8"))
    for entry in snapshot["lists"]:
        if hashlib.sha256((SNAPSHOT / entry["file"]).read_bytes()).hexdigest() != entry["sha256"]:
            raise ValueError(f"{entry['file']} is not what was shipped: install aiglabel again")
    return f"lists of {snapshot['date']}, unchanged"


def _certificate() -> str:
    from aiglabel.marks.credentials import lint_chain
    from aiglabel.marks.credentials.devcert import dev_directory

    home = dev_directory()
    chain = home / "chain.pem"
    if not chain.is_file():
        return "no development certificate; 'aiglabel cert dev' makes one"
    errors = [one.message for one in lint_chain(chain.read_bytes()) if one.severity == "error"]
    if errors:
        raise ValueError(f"{chain}: {'; '.join(errors)}")
    return f"development certificate in {home} (NOT TRUSTED by anyone)"


def _folder() -> str:
    from aiglabel.marks.credentials.devcert import dev_directory

    home = dev_directory().parent
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        raise ValueError(f"{existing} is not writable, so no development certificate can be made")
    return str(home)


def _settings() -> str:
    from aiglabel.cli.settings import DEFAULT_FILE

    return str(DEFAULT_FILE.resolve()) if DEFAULT_FILE.is_file() else "no aiglabel.toml here"


def _film() -> bytes:
    """Return 2.4 seconds of a moving ramp, as MKV."""
    import numpy as np

    from aiglabel.media import ffmpeg

    x, y = np.arange(2 * _SIDE), np.arange(_SIDE)[:, None]
    frames = (60 + (x + y + 3 * np.arange(24)[:, None, None]) % 140).astype(np.uint8)
    source = {"f": "rawvideo", "pix_fmt": "gray", "s": f"{2 * _SIDE}x{_SIDE}", "r": 10}
    target = {"f": "matroska", "c:v": "ffv1"}
    return ffmpeg.run(ffmpeg.ffmpeg_exe(), source, target, frames.tobytes())


def _self_test() -> str:
    import numpy as np

    import aiglabel as agl
    from aiglabel.marks.audible import shipped

    ramp = np.linspace(60, 200, _SIDE * _SIDE * 3).reshape(_SIDE, _SIDE, 3).astype(np.uint8)
    label = agl.Label.generated(producer="self-test", content_id="1")
    key = agl.Key.generate()
    result = agl.embed(ramp, label=label, key=key)
    assert isinstance(result, agl.EmbedResult)
    report = agl.verify(result.data, keys=[key])
    if not result.complete or report.verdict is not agl.Verdict.GENERATED:
        raise ValueError(f"a labelled picture reads back as: {report}")
    clip = shipped()[0]
    spoken = agl.embed(np.tile(clip.clip, 4), label=label, key=key, rate=clip.rate)
    assert isinstance(spoken, agl.EmbedResult)
    heard = agl.verify(spoken.data, keys=[key])
    if not spoken.complete or heard.verdict is not agl.Verdict.GENERATED:
        raise ValueError(f"a labelled sound reads back as: {heard}")
    moving = agl.embed(_film(), label=label, key=key)
    assert isinstance(moving, agl.EmbedResult)
    seen = agl.verify(moving.data, keys=[key])
    if not moving.complete or seen.verdict is not agl.Verdict.GENERATED:
        raise ValueError(f"a labelled film reads back as: {seen}")
    found = dict.fromkeys([*report.found, *heard.found, *seen.found])
    return f"labelled and found again: {', '.join(found)}"


_CHECKS: dict[str, Callable[[], str]] = {
    "versions": _versions,
    "opencv": _opencv,
    "ffmpeg": _ffmpeg,
    "film encoders": _films,
    "formats": _formats,
    "font": _font,
    "trust lists": _trust,
    "certificate": _certificate,
    "folder": _folder,
    "settings": _settings,
    "self test": _self_test,
}
