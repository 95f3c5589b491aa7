"""Which files a run is about, and where each result goes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from aiglabel.containers.sniff import MEDIA_SUFFIXES
from aiglabel.errors import MediaError, OutputError

_Identity = tuple[int, int]


@dataclass(frozen=True)
class Found:
    """One file to work on.

    Attributes
    ----------
    path : Path
    relative : Path
        Its place below the folder that was named; of a file that was named, its bare name.
    """

    path: Path
    relative: Path


def find(
    sources: Iterable[str | os.PathLike[str]],
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    skip: str | os.PathLike[str] | None = None,
) -> list[Found]:
    """List the files of a run, each once.

    A file that is named is always in the list, even one that is not there: its own record will
    say so. Folders are searched through, in the order of names; hidden files and folders are
    passed over, linked folders are entered but none twice.

    Parameters
    ----------
    sources : iterable of path
    include : sequence of str
        Glob patterns for the name or the relative path of files in folders. Default: every suffix
        in `MEDIA_SUFFIXES`.
    exclude : sequence of str
        The same, for files and folders to leave out.
    skip : path, optional
        A folder never entered: where the results go.

    Raises
    ------
    MediaError
        When a folder holds no file that fits, or one inside cannot be read.
    """
    found: dict[str, Found] = {}
    for source in map(Path, sources):
        if source.is_dir():
            inside = list(_walk(source, include, exclude, _identity(skip)))
            if not inside:
                raise MediaError(
                    "the folder holds no picture, no sound and no film", path=source,
                    remedy="Hidden files do not count; --include takes other names",
                )  # fmt: skip
        else:
            inside = [Found(source, Path(source.name))]
        for one in inside:
            found.setdefault(os.path.realpath(one.path), one)
    return list(found.values())


def destinations(found: Sequence[Found], output: str | os.PathLike[str]) -> list[Path]:
    """Return where each result goes: below `output`, as the sources lay in their folders.

    A single file goes to `output` itself where that ends like media and is no folder.

    Raises
    ------
    OutputError
        When two results would have one name, the folder of the sources is `output`, or it names
        neither media nor a folder.
    """
    if not os.fspath(output):
        raise OutputError("no output was named", remedy="Name a folder, or . for this one")
    root = Path(output)
    alone = len(found) == 1 and found[0].relative == Path(found[0].path.name)
    if alone and root.suffix.lower() in MEDIA_SUFFIXES and not root.is_dir():
        return [root]
    if alone and root.suffix and not root.is_dir() and not os.fspath(output).endswith(os.sep):
        raise OutputError(
            f"'{root.suffix}' is no format this toolkit writes", path=root,
            remedy=f"Use one of {', '.join(MEDIA_SUFFIXES)}; "
            f"for a folder, end its name with {os.sep}",
        )  # fmt: skip
    taken: dict[str, Found] = {}
    for one in found:
        goal = root / one.relative
        other = taken.setdefault(os.path.normcase(goal), one)
        if other is not one:
            raise OutputError(
                f"{other.path} and {one.path} would both be written here", path=goal,
                remedy="Label them in two runs, into two folders",
            )  # fmt: skip
        if _same(one.path, goal):
            raise OutputError(
                "the output is the source itself", path=goal,
                remedy="Name another output folder; sources are never changed",
            )  # fmt: skip
    return [root / one.relative for one in found]


def _walk(
    folder: Path, include: Sequence[str], exclude: Sequence[str], skip: _Identity | None
) -> Iterator[Found]:
    entered: set[_Identity | None] = set()
    for here, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        place = Path(here)
        identity = _identity(place)
        # A link to a folder above would go round for ever; the results of an earlier run are
        # nothing to label again.
        if identity in entered or (identity == skip and place != folder):
            folders.clear()
            continue
        entered.add(identity)
        inner = place.relative_to(folder)
        folders[:] = sorted(
            name for name in folders if not _hidden(name) and not _fits(inner / name, exclude)
        )
        for name in sorted(files):
            relative = inner / name
            known = relative.suffix.lower() in MEDIA_SUFFIXES
            wanted = _fits(relative, include) if include else known
            if wanted and not _hidden(name) and not _fits(relative, exclude):
                yield Found(place / name, relative)


def _refuse(error: OSError) -> None:
    """Stop at a folder that cannot be read: silence would pass for completeness."""
    raise MediaError(
        f"cannot be read: {error.strerror}",
        path=error.filename,
        remedy="Or leave it out: --exclude",
    ) from error


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _fits(relative: Path, patterns: Sequence[str]) -> bool:
    return any(
        fnmatch(relative.name, pattern) or fnmatch(relative.as_posix(), pattern)
        for pattern in patterns
    )


def _identity(path: str | os.PathLike[str] | None) -> _Identity | None:
    try:
        status = Path(path).stat() if path is not None else None
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status else None


def _same(one: Path, two: Path) -> bool:
    return _identity(one) is not None and _identity(one) == _identity(two)
