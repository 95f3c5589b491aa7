"""Options that several commands share, as groups: one frozen dataclass, one field an option.

Every option that sets something can also come from the environment; a flag wins over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiglabel.label import Kind

if TYPE_CHECKING:
    from aiglabel.media.video_coding import VideoTarget


class Format(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


class Shape(StrEnum):
    """How one thing is printed."""

    TEXT = "text"
    JSON = "json"


ShapeOption = Annotated[Shape, typer.Option("--format", help="How to print it.")]
KeyFiles = Annotated[
    list[Path] | None,
    typer.Option("--key", envvar="AIGLABEL_KEY", metavar="FILE",
                 help="Watermark key to look with; may be given several times. "
                 "The open key is always tried."),
]  # fmt: skip


@dataclass(frozen=True)
class PolicyOptions:
    """Which policy."""

    policy: Annotated[
        str | None,
        typer.Option("--policy", envvar="AIGLABEL_POLICY", metavar="NAME|FILE",
                     help="Preset or TOML file; 'aiglabel policy list' names the presets. "
                     "Default: what aiglabel.toml says, else cn."),
    ] = None  # fmt: skip
    config: Annotated[
        Path | None,
        typer.Option("--config", envvar="AIGLABEL_CONFIG", metavar="FILE",
                     help="Settings file. Default: aiglabel.toml in this folder, if there is one."),
    ] = None  # fmt: skip


@dataclass(frozen=True)
class MarkOptions:
    """Settings of the policy that can be changed for one run."""

    text: Annotated[
        str | None,
        typer.Option(
            "--text", envvar="AIGLABEL_TEXT", metavar="TEXT", help="Text of the visible label."
        ),
    ] = None
    position: Annotated[
        str | None,
        typer.Option("--position", envvar="AIGLABEL_POSITION", metavar="PLACE",
                     help="Where it stands, e.g. bottom-right, top-left."),
    ] = None  # fmt: skip
    style: Annotated[
        str | None,
        typer.Option("--style", envvar="AIGLABEL_STYLE", metavar="outline|pill",
                     help="White text with a dark outline, or on a dark plate."),
    ] = None  # fmt: skip
    strength: Annotated[
        str | None,
        typer.Option("--strength", envvar="AIGLABEL_STRENGTH", metavar="invisible|balanced|robust",
                     help="Strength of the watermark."),
    ] = None  # fmt: skip
    existing: Annotated[
        str | None,
        typer.Option("--existing", envvar="AIGLABEL_EXISTING", metavar="keep|replace|refuse",
                     help="What to do about the metadata label of another producer."),
    ] = None  # fmt: skip
    audible: Annotated[
        str | None,
        typer.Option("--audible", envvar="AIGLABEL_AUDIBLE", metavar="voice|rhythm",
                     help="Label of sounds: spoken words, or the rhythm short long, short short."),
    ] = None  # fmt: skip
    say: Annotated[
        str | None,
        typer.Option("--say", envvar="AIGLABEL_SAY", metavar="TEXT",
                     help="What is spoken, e.g. AI生成; with --voice, what that says."),
    ] = None  # fmt: skip
    voice: Annotated[
        str | None,
        typer.Option("--voice", envvar="AIGLABEL_VOICE", metavar="FILE",
                     help="A recording of your own to use as spoken label."),
    ] = None  # fmt: skip
    engine: Annotated[
        str | None,
        typer.Option("--engine", envvar="AIGLABEL_ENGINE", metavar="espeak-ng|say",
                     help="A text-to-speech program of this machine that says any text."),
    ] = None  # fmt: skip
    no_overlay: Annotated[
        bool,
        typer.Option("--no-overlay",
                     help="No label to see or hear (Labeling Measures Art. 9)."),
    ] = False  # fmt: skip
    metadata_only: Annotated[
        bool,
        typer.Option("--metadata-only",
                     help="Metadata labels alone: no pixel and no sample is touched."),
    ] = False  # fmt: skip
    allow_broken_parent: Annotated[
        bool,
        typer.Option("--allow-broken-parent",
                     help="Sign although the credentials the file came with fail."),
    ] = False  # fmt: skip


@dataclass(frozen=True)
class FilmOptions:
    """Settings of the policy for films that can be changed for one run."""

    film_seconds: Annotated[
        float | None,
        typer.Option("--film-seconds", envvar="AIGLABEL_FILM_SECONDS", metavar="SECONDS",
                     help="How long a film shows the visible label from its first frame on, "
                     "at least 2. Default: what the policy says, else 3."),
    ] = None  # fmt: skip
    film_whole: Annotated[
        bool,
        typer.Option("--film-whole", help="Films show the visible label from start to end."),
    ] = False
    film_end: Annotated[
        bool,
        typer.Option("--film-end",
                     help="Films show the visible label in their last seconds too."),
    ] = False  # fmt: skip
    film_at: Annotated[
        list[str] | None,
        typer.Option("--film-at", envvar="AIGLABEL_FILM_AT", metavar="START-END",
                     help="Seconds between which films show the visible label too, e.g. 10-15; "
                     "may be given several times."),
    ] = None  # fmt: skip
    film_card: Annotated[
        float | None,
        typer.Option("--film-card", envvar="AIGLABEL_FILM_CARD", metavar="SECONDS",
                     help="How long a card that says the label comes before a film, 1 to 60. "
                     "Default: what the policy says, else no card."),
    ] = None  # fmt: skip
    speak: Annotated[
        bool,
        typer.Option("--speak", help="Films also speak the audible label, over their sound."),
    ] = False
    keep_sound: Annotated[
        bool,
        typer.Option("--keep-sound", help="Films keep their sound track as it is coded."),
    ] = False

    def __post_init__(self) -> None:
        if self.speak and self.keep_sound:
            raise typer.BadParameter(
                "nothing can be spoken over a sound that is kept as it is", param_hint="--speak"
            )


@dataclass(frozen=True)
class CodingOptions:
    """How results are coded, where that is not to be as in the source."""

    quality: Annotated[
        int | None,
        typer.Option("--quality", envvar="AIGLABEL_QUALITY", min=1, max=100,
                     help="Of lossy picture formats. Default: as the source is coded."),
    ] = None  # fmt: skip
    bitrate: Annotated[
        int | None,
        typer.Option("--bitrate", envvar="AIGLABEL_BITRATE", min=6, max=2000, metavar="KBPS",
                     help="Of lossy sound formats, kbit/s. Default: as the source is coded."),
    ] = None  # fmt: skip
    codec: Annotated[
        str | None,
        typer.Option("--codec", envvar="AIGLABEL_CODEC", metavar="NAME",
                     help="Of films, e.g. h264, hevc, av1, vp9. Default: that of the source."),
    ] = None  # fmt: skip
    crf: Annotated[
        float | None,
        typer.Option("--crf", envvar="AIGLABEL_CRF", min=0, max=63, metavar="NUMBER",
                     help="Quality of films on the scale of their encoder; a small number is "
                     "fine and large. Default: close to the source."),
    ] = None  # fmt: skip
    preset: Annotated[
        str | None,
        typer.Option("--preset", envvar="AIGLABEL_PRESET", metavar="NAME",
                     help="Speed of the film encoder, by its own names, e.g. veryfast or medium "
                     "of H.264. Default: a fast one."),
    ] = None  # fmt: skip

    def film(self) -> VideoTarget | None:
        """Return how films are to be coded; None where nothing was asked for.

        Raises
        ------
        typer.BadParameter
            There is no such codec.
        """
        if (self.codec, self.crf, self.preset) == (None, None, None):
            return None
        from aiglabel.media.video_coding import VideoTarget
        from aiglabel.media.video_encoders import CODECS

        known = list(dict.fromkeys(codec for some in CODECS.values() for codec in some))
        if self.codec is not None and self.codec not in known:
            raise typer.BadParameter(
                f"'{self.codec}' is none of {', '.join(known)}", param_hint="--codec"
            )
        return VideoTarget(codec=self.codec, quality=self.crf, preset=self.preset)


@dataclass(frozen=True)
class ClaimOptions:
    """What is claimed."""

    kind: Annotated[
        Kind, typer.Option("--kind", envvar="AIGLABEL_KIND", help="What the label says.")
    ] = Kind.GENERATED
    producer: Annotated[
        str | None,
        typer.Option("--producer", envvar="AIGLABEL_PRODUCER", metavar="CODE",
                     help="Code of the generation service provider (27 characters)."),
    ] = None  # fmt: skip
    content_id: Annotated[
        str | None,
        typer.Option("--content-id", metavar="ID",
                     help="Number of this content; one file only. Default: drawn for each file."),
    ] = None  # fmt: skip
    content_id_prefix: Annotated[
        str | None,
        typer.Option("--content-id-prefix", envvar="AIGLABEL_CONTENT_ID_PREFIX", metavar="TEXT",
                     help="Begins every number that is drawn."),
    ] = None  # fmt: skip
    propagator: Annotated[
        str | None,
        typer.Option("--propagator", envvar="AIGLABEL_PROPAGATOR", metavar="CODE",
                     help="Code of the platform that spreads the content."),
    ] = None  # fmt: skip
    propagate_id: Annotated[
        str | None,
        typer.Option("--propagate-id", metavar="ID",
                     help="The platform's number; one file only. Default: drawn for each file."),
    ] = None  # fmt: skip
    model: Annotated[
        str | None,
        typer.Option("--model", envvar="AIGLABEL_MODEL", metavar="NAME",
                     help="The generating system."),
    ] = None  # fmt: skip
    model_version: Annotated[
        str | None,
        typer.Option("--model-version", envvar="AIGLABEL_MODEL_VERSION", metavar="TEXT",
                     help="Its version."),
    ] = None  # fmt: skip


@dataclass(frozen=True)
class SignerOptions:
    """Who signs the C2PA credentials."""

    signer: Annotated[
        str | None,
        typer.Option("--signer", envvar="AIGLABEL_SIGNER", metavar="dev|none|CHAIN.pem",
                     help="Certificate chain, or the development certificate of this machine, "
                     "which proves nothing to others. Default: none."),
    ] = None  # fmt: skip
    signer_key: Annotated[
        str | None,
        typer.Option("--signer-key", envvar="AIGLABEL_SIGNER_KEY", metavar="KEY.pem",
                     help="Private key of the chain."),
    ] = None  # fmt: skip
    signer_password_env: Annotated[
        str | None,
        typer.Option("--signer-password-env", metavar="VARIABLE",
                     help="Environment variable that holds the key's password."),
    ] = None  # fmt: skip
    tsa: Annotated[
        str | None,
        typer.Option("--tsa", envvar="AIGLABEL_TSA", metavar="URL",
                     help="RFC 3161 time-stamping authority."),
    ] = None  # fmt: skip


@dataclass(frozen=True)
class TrustOptions:
    """Whose signatures count."""

    trust: Annotated[
        str | None,
        typer.Option("--trust", envvar="AIGLABEL_TRUST", metavar="default|official|none",
                     help="Trust lists. Default: what the policy names."),
    ] = None  # fmt: skip
    trust_file: Annotated[
        list[Path] | None,
        typer.Option("--trust-file", metavar="PEM",
                     help="Certificates to trust besides; may be given several times."),
    ] = None  # fmt: skip


@dataclass(frozen=True)
class SearchOptions:
    """How hard the watermark is looked for."""

    effort: Annotated[
        str | None,
        typer.Option("--effort", envvar="AIGLABEL_EFFORT", metavar="quick|full|thorough",
                     help="How hard to look for the watermark. quick: in the picture as it is; "
                     "full: also in cropped, turned and bent pictures and in screenshots, up to "
                     "about a second for a picture with nothing in it; sounds at other tempos and "
                     "pitches; thorough: several seconds, all of a long sound, "
                     "and for marks of the first format too. "
                     "Default: what the policy says, else full."),
    ] = None  # fmt: skip


@dataclass(frozen=True)
class FileOptions:
    """Which files of a folder, and how many at a time."""

    include: Annotated[
        list[str] | None,
        typer.Option("--include", metavar="GLOB",
                     help="Files of folders to take instead of those with a known suffix."),
    ] = None  # fmt: skip
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="GLOB", help="Files and folders to leave out."),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option("--workers", envvar="AIGLABEL_WORKERS", min=1, metavar="N",
                     help="Processes. Default: one a core, none besides this for a few files."),
    ] = None  # fmt: skip


@dataclass(frozen=True)
class ResultOptions:
    """How results are told."""

    format: Annotated[
        Format,
        typer.Option("--format", help="text: a line a file; json: one object at the end; "
                     "jsonl: one object a line, as files are completed."),
    ] = Format.TEXT  # fmt: skip
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Also write the results to this file."),
    ] = None
    progress: Annotated[
        bool | None,
        typer.Option("--progress/--no-progress",
                     help="Progress bar on stderr. Default: where that is a terminal."),
    ] = None  # fmt: skip
