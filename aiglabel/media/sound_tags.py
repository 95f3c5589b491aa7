"""Tags, chapters and cover art on their way from one sound file to another.

ffmpeg reads them all, and writes most. From here come: cover art in Ogg, a comment called
METADATA_BLOCK_PICTURE (RFC 9639, 8.8, in Base64); chapters in Ogg and FLAC, comments called
CHAPTERnnn (wiki.xiph.org/Chapter_Extension), which ffmpeg writes at wrong times; and the
LIST/INFO chunk of a new WAV (Multimedia Programming Interface and Data Specifications, 1991).
"""

from __future__ import annotations

import base64
import logging
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from aiglabel.containers.sniff import SoundFormat
from aiglabel.media.ffmpeg_audio import Input, extract, tag_options
from aiglabel.media.sound_coding import Coding

logger = logging.getLogger(__name__)

_INFO = {
    "title": b"INAM", "artist": b"IART", "album": b"IPRD", "date": b"ICRD", "genre": b"IGNR",
    "comment": b"ICMT", "copyright": b"ICOP", "track": b"IPRT",
}  # fmt: skip
# What speaks of the old file: its container's kind, who coded it, and its gaps.
_STALE = {"major_brand", "minor_version", "compatible_brands", "encoder", "itunsmpb"}
_KEY = re.compile(r"(?:[^\\=]|\\.?)*+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_MAX_VALUE = 1 << 20
_MAX_CHAPTERS = 1000
_FRONT_COVER = 3


@dataclass(frozen=True)
class Chapter:
    """A chapter's start in seconds, and its title."""

    start: float
    title: str


@dataclass(frozen=True)
class Tags:
    """Tags under ffmpeg's names, and chapters."""

    values: dict[str, str]
    chapters: list[Chapter]


@dataclass(frozen=True)
class Carried:
    """What an encoding takes over: further inputs of ffmpeg, streams, output options."""

    inputs: list[Input]
    maps: list[str]
    options: dict[str, Any]


def carried(path: str, source: Coding, target: Coding, folder: Path) -> Carried:
    """Return how ffmpeg, whose input 0 is the sound, takes tags and pictures from `path`.

    Parameters
    ----------
    path : str
    source : Coding
        Of `path`.
    target : Coding
    folder : Path
        For temporary files; they must stay until ffmpeg has run.
    """
    found = read_tags(path, source)
    comments = dict(found.values)
    options: dict[str, Any] = {"map_chapters": 1, "map_metadata": "2:g"}
    maps = []
    if target.ogg or target.container is SoundFormat.FLAC:
        options["map_chapters"] = -1
        comments |= _chapter_comments(found.chapters)
    if target.ogg:
        options["map_metadata:s:a:0"] = options.pop("map_metadata")
        picture = read_picture(path, source)
        if picture:
            block = base64.b64encode(picture_block(picture)).decode("ascii")
            comments["METADATA_BLOCK_PICTURE"] = block
    else:
        maps = ["1:v?"]
        options |= {"c:v": "copy", "disposition:v": "attached_pic"}
    text = folder / "tags.txt"
    lines = [";FFMETADATA1", *(f"{_escaped(k)}={_escaped(v)}" for k, v in comments.items()), ""]
    text.write_text("\n".join(lines), encoding="utf-8", newline="\n")
    first = tag_options(source)
    second = {"f": "ffmetadata", "protocol_whitelist": "file,pipe"}
    return Carried([(f"file:{path}", first), (f"file:{text}", second)], maps, options)


def info_chunk(path: str, source: Coding) -> bytes:
    """Return the body of a LIST chunk with the tags of `path`; empty where there are none."""
    found = read_tags(path, source)
    parts = []
    for key, value in found.values.items():
        name = _INFO.get(key.lower())
        text = value.encode()[:_MAX_VALUE] + b"\0"
        if name:
            parts.append(name + struct.pack("<I", len(text)) + text + bytes(len(text) % 2))
    lost = sorted(key for key in found.values if key.lower() not in _INFO)
    lost += ["chapters"] * bool(found.chapters) + ["cover art"] * bool(read_picture(path, source))
    if lost:
        logger.warning("WAV has no place for: %s", ", ".join(lost))
    return b"INFO" + b"".join(parts) if parts else b""


def read_picture(path: str, source: Coding) -> bytes:
    """Return the first cover picture, as it is stored; empty where there is none."""
    return extract(path, source, {"map": "0:v:0", "c": "copy", "f": "image2pipe", "frames:v": 1})


def read_tags(path: str, source: Coding) -> Tags:
    """Return the tags and chapters of a file."""
    # Ogg has its comments in the stream, all others have them in the file.
    where = "0:s:a:0" if source.ogg else "0:g"
    said = extract(path, source, {"f": "ffmetadata", "map_metadata": where, "map_chapters": 0})
    sections: list[tuple[str, dict[str, str]]] = [("", {})]
    for line in _lines(said.decode(errors="replace")):
        key, equals, value = _halves(line)
        if equals and not line.startswith(";"):
            sections[-1][1][key] = value
        elif line.startswith("["):
            sections.append((line, {}))
    values = {key: value for key, value in sections[0][1].items() if key.lower() not in _STALE}
    chapters = [_chapter(body) for name, body in sections if name == "[CHAPTER]"]
    return Tags(values, chapters[:_MAX_CHAPTERS])


def _chapter(body: dict[str, str]) -> Chapter:
    try:
        start = float(int(body["START"]) * Fraction(body["TIMEBASE"]))
    except (KeyError, ValueError, ZeroDivisionError, OverflowError):
        start = 0.0
    return Chapter(max(0.0, start), body.get("title", ""))


def _chapter_comments(chapters: list[Chapter]) -> dict[str, str]:
    comments = {}
    for number, chapter in enumerate(chapters):
        minutes, thousandths = divmod(round(chapter.start * 1000), 60_000)
        hours, minutes = divmod(minutes, 60)
        seconds = f"{thousandths // 1000:02}.{thousandths % 1000:03}"
        comments[f"CHAPTER{number:03}"] = f"{hours:02}:{minutes:02}:{seconds}"
        comments[f"CHAPTER{number:03}NAME"] = chapter.title
    return comments


# ---------------------------------------------------------------------- ffmpeg's text form


def _lines(text: str) -> Iterator[str]:
    """Yield lines; a line break behind a backslash is part of the line."""
    held: list[str] = []
    for line in text.split("\n"):
        held.append(line)
        if (len(line) - len(line.rstrip("\\"))) % 2 == 0:
            yield "\n".join(held)
            held.clear()
    if held:
        yield "\n".join(held)


def _halves(line: str) -> tuple[str, str, str]:
    """Split at the first ``=`` that is not escaped, and take the escapes away."""
    key = _KEY.match(line)
    at = key.end() if key else 0
    plain = [_ESCAPE.sub(r"\1", half) for half in (line[:at], line[at + 1 :])]
    return plain[0], line[at : at + 1], plain[1]


def _escaped(text: str) -> str:
    for char in "\\=;#\n":
        text = text.replace(char, "\\" + char)
    return text


def picture_block(picture: bytes) -> bytes:
    """Return the body of a FLAC PICTURE block with a front cover; sizes are left open (0)."""
    mime = b"image/png" if picture.startswith(b"\x89PNG") else b"image/jpeg"
    head = struct.pack(">II", _FRONT_COVER, len(mime)) + mime + struct.pack(">I", 0)
    return head + struct.pack(">IIIII", 0, 0, 0, 0, len(picture)) + picture
