"""Tags, chapters and cover art on their way from one sound file to another.

ffmpeg carries them where both containers have a place for them. Ogg keeps cover art in a comment
(METADATA_BLOCK_PICTURE, RFC 9639, 8.8, in Base64), which ffmpeg reads but does not write, and a
new WAV gets a LIST/INFO chunk (RIFF MCI, 1991) from here.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiglabel.media.ffmpeg_audio import Input, extract, source_options
from aiglabel.media.sound_coding import Coding
from aiglabel.media.sound_format import SoundFormat

_INFO = {
    "title": b"INAM", "artist": b"IART", "album": b"IPRD", "date": b"ICRD", "genre": b"IGNR",
    "comment": b"ICMT", "copyright": b"ICOP", "track": b"IPRT", "encoder": b"ISFT",
}  # fmt: skip
_MAX_VALUE = 1 << 20
_FRONT_COVER = 3


@dataclass(frozen=True)
class Carried:
    """What an encoding takes over: further inputs of ffmpeg, streams, output options."""

    inputs: list[Input] = field(default_factory=list)
    maps: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


def carried(path: str, source: SoundFormat, target: Coding, folder: Path) -> Carried:
    """Return how ffmpeg, whose input 0 is the sound, takes tags and pictures from `path`.

    Parameters
    ----------
    path : str
    source : SoundFormat
        What `path` is.
    target : Coding
    folder : Path
        For temporary files; they must stay until ffmpeg has run.
    """
    inputs: list[Input] = [(f"file:{path}", source_options(source))]
    if target.container is SoundFormat.OGG:
        text = folder / "tags.txt"
        text.write_text(_ffmetadata(path, source), encoding="utf-8", newline="\n")
        inputs.append((f"file:{text}", {"f": "ffmetadata", "protocol_whitelist": "file,pipe"}))
        return Carried(inputs, [], {"map_metadata:s:a:0": "2:g", "map_chapters": 1})
    # Ogg has its comments in the stream, all others have them in the file.
    tags = "1:s:a:0" if source is SoundFormat.OGG else "1:g"
    options = {"map_metadata": tags, "map_chapters": 1, "c:v": "copy"}
    return Carried(inputs, ["1:v?"], options | {"disposition:v": "attached_pic"})


def info_chunk(path: str, source: SoundFormat) -> bytes:
    """Return the body of a LIST chunk with the tags of `path`; empty where there are none."""
    parts = []
    for key, value in tags(path, source).items():
        name = _INFO.get(key.lower())
        text = value.encode()[:_MAX_VALUE] + b"\0"
        if name:
            parts.append(name + struct.pack("<I", len(text)) + text + bytes(len(text) % 2))
    return b"INFO" + b"".join(parts) if parts else b""


def tags(path: str, source: SoundFormat) -> dict[str, str]:
    """Return the tags of a file under ffmpeg's names."""
    where = "0:s:a:0" if source is SoundFormat.OGG else "0:g"
    said = extract(path, source, {"f": "ffmetadata", "map_metadata": where, "map_chapters": -1})
    found: dict[str, str] = {}
    text = said.decode(errors="replace")
    # Escaped characters, line breaks among them, follow a backslash.
    for line in _lines(text):
        if line.startswith("["):
            break
        key, equals, value = _halves(line)
        if equals and not line.startswith(";"):
            found[key] = value
    return found


def _lines(text: str) -> list[str]:
    lines, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "\n":
            lines.append(text[start:at])
            start = at + 1
        at += 1
    return [*lines, text[start:]]


def _halves(line: str) -> tuple[str, str, str]:
    """Split at the first ``=`` that is not escaped, and take the escapes away."""
    halves, equals, at = ["", ""], "", 0
    while at < len(line):
        char = line[at]
        if char == "\\" and at + 1 < len(line):
            at += 1
            halves[bool(equals)] += line[at]
        elif char == "=" and not equals:
            equals = char
        else:
            halves[bool(equals)] += char
        at += 1
    return halves[0], equals, halves[1]


def _ffmetadata(path: str, source: SoundFormat) -> str:
    lines = [";FFMETADATA1"]
    for key, value in tags(path, source).items():
        lines.append(f"{_escaped(key)}={_escaped(value)}")
    picture = extract(path, source, {"map": "0:v:0", "c": "copy", "f": "image2pipe", "frames:v": 1})
    if picture:
        block = base64.b64encode(picture_block(picture)).decode("ascii")
        lines.append(f"METADATA_BLOCK_PICTURE={_escaped(block)}")
    return "\n".join([*lines, ""])


def _escaped(text: str) -> str:
    for char in "\\=;#\n":
        text = text.replace(char, "\\" + char)
    return text


def picture_block(picture: bytes) -> bytes:
    """Return the body of a FLAC PICTURE block with a front cover; sizes are left open (0)."""
    mime = b"image/png" if picture.startswith(b"\x89PNG") else b"image/jpeg"
    head = struct.pack(">II", _FRONT_COVER, len(mime)) + mime + struct.pack(">I", 0)
    return head + struct.pack(">IIIII", 0, 0, 0, 0, len(picture)) + picture
