"""Labelling from file to file, in memory that does not grow: what sounds and films have in common.

What is heard or seen is marked on its way from a decoder to an encoder, as the rooms of either say.
Metadata and credentials are then written from copy to copy, beside the destination.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from aiglabel import containers
from aiglabel.containers.sniff import AnyFormat
from aiglabel.containers.timed import TimedFormat
from aiglabel.evidence import Evidence, Outcome
from aiglabel.marks import aigc, credentials
from aiglabel.media.video_belt import Progress
from aiglabel.pipeline.job import LOST_CREDENTIALS, Clock, Job, broken_credentials
from aiglabel.result import EmbedResult


@dataclass(frozen=True)
class Given:
    """The file that is labelled; without a path it is an array.

    `label` is what `aigc.read` found in it, where that matters; `signed` tells of credentials.
    """

    path: Path | None = None
    format: AnyFormat | None = None
    label: Evidence | None = None
    signed: bool = False

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.path.stat().st_size if self.path else 0


class Marked(NamedTuple):
    """A file with all marks that are heard or seen."""

    path: Path
    outcomes: Sequence[Outcome]
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class FileJob(Job, ABC):
    """A job on a file that stays on disk; `run` does it.

    Attributes
    ----------
    progress : callable, optional
        Called as the media are written, with their time and length, None for one that is not
        known; in seconds.
    """

    progress: Progress | None = None

    # ------------------------------------------------------------------ what a kind of media adds

    @property
    @abstractmethod
    def touches(self) -> bool:
        """Whether the policy wants a mark for which the media must be decoded."""

    @abstractmethod
    def marked(self, given: Given, fmt: AnyFormat, folder: Path, clock: Clock) -> Marked:
        """Decode, mark and encode into a file in `folder`, and read its marks back."""

    # ------------------------------------------------------------------ what all have in common

    def run(self, src: Path, found: AnyFormat, dst: Path, fmt: TimedFormat) -> EmbedResult:
        """Label the file `src` of a format; the result is a file at `dst`, maybe of another.

        `dst` may not exist yet and is not forced to disk. Its folder holds copies in the meantime.
        """
        with src.open("rb") as file:
            matters = self.label is not None and self.policy.aigc.enabled
            label = aigc.read(file, found) if matters else None
            given = Given(src, found, label, containers.has_c2pa(file, found))
        return self.agreeing(label).labelled(given, dst, fmt)

    def labelled(self, given: Given, dst: Path, fmt: TimedFormat) -> EmbedResult:
        """Label what is `given`; see `run`."""
        clock, unsigned = Clock(), given.signed and not self.signs
        with TemporaryDirectory(prefix=".aiglabel-", dir=dst.parent) as name:
            folder = Path(name)
            if given.path is None or self.touches or fmt is not given.format:
                path, outcomes, notes = self.marked(given, fmt, folder, clock)
                notes = [*notes, LOST_CREDENTIALS] if unsigned else notes
            elif unsigned:
                raise broken_credentials()
            else:  # what nobody touches is never decoded: it stays byte-identical
                path, outcomes, notes = given.path, [], []
            path, described, sidecar = self._described(path, given, fmt, outcomes, folder, clock)
            if path == given.path:  # nothing was asked for
                path = folder / "copy"
                shutil.copyfile(given.path, path)
            sizes = given.size, path.stat().st_size
            path.replace(dst)
        return self.result(
            fmt, [*outcomes, *described], clock, sizes=sizes, sidecar=sidecar, notes=notes
        )

    def _described(
        self,
        path: Path,
        given: Given,
        fmt: TimedFormat,
        outcomes: Sequence[Outcome],
        folder: Path,
        clock: Clock,
    ) -> tuple[Path, list[Outcome], bytes | None]:
        """Write metadata label and credentials, each into a new copy."""
        described: list[Outcome] = []
        if self.label is None:
            return path, described, None

        def after(new: Path) -> Path:
            """Go on with a copy; the one before, if it is ours, only takes room."""
            if path != given.path:
                path.unlink()
            return new

        if self.policy.aigc.enabled:
            labelled = folder / "labelled"
            with clock.step("metadata"):
                described.append(
                    aigc.write_file(
                        path, labelled, fmt, self.label, existing=self.policy.aigc.existing,
                        source=given.label,
                    )
                )  # fmt: skip
            path = after(labelled)
        if not self.signs or self.signer is None:
            return path, described, None
        wanted, signed = self.policy.credentials, folder / "signed"
        with clock.step("sign"):
            done = credentials.write_file(
                path, signed, fmt, label=self.label, signer=self.signer,
                marks=[*outcomes, *described], parent=given.path,
                soft_binding=wanted.soft_binding, allow_broken_parent=wanted.allow_broken_parent,
            )  # fmt: skip
        return after(signed), [*described, done.outcome], done.sidecar
