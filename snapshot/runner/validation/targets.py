"""The projects of a checkout that a change concerns: their parts, and their own test command."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from .ecosystems import LAST, TABLE
from .folder import Folder
from .plan import Command, Host, Target

LARGEST_TARGETS: Final = 5
MAKEFILES: Final = ("GNUmakefile", "makefile", "Makefile")
JUSTFILES: Final = ("justfile", "Justfile", ".justfile")
_MAKE_TARGET: Final = re.compile(r"^(test|check)[ \t]*:(?!=)", re.MULTILINE)
_JUST_TARGET: Final = re.compile(r"^@?(test|check)\b[^:=\n]*:(?!=)", re.MULTILINE)
_NO_PROJECTS: Final = re.compile(
    r"tests?|testing|testdata|fixtures?|__fixtures__|__tests__|docs?|examples?|node_modules|vendor"
    r"|third_party"
)
"""Folders whose projects are material: of a test, of a page, of somebody else."""


def find(checkout: Path, host: Host, changed: Collection[str]) -> tuple[Target, ...]:
    """The nearest projects with checks around these paths; without any the checkout itself."""
    whole = target(Folder(checkout=checkout), host)
    known: dict[str, Target] = {"": whole}
    nearest = {_nearest(checkout, host, folder, known) for folder in _folders(changed)}
    found = [known[path] for path in sorted(nearest)]
    if not found or len(found) > LARGEST_TARGETS:
        return (whole,) if whole.checks else tuple(found[:LARGEST_TARGETS]) or (whole,)
    return tuple(found)


def target(folder: Folder, host: Host) -> Target:
    """The project in one folder."""
    parts = [part for row in TABLE if (part := row.part(folder, host)) is not None]
    found = Target(path=folder.path, parts=tuple(parts), wrapper=_wrapper(folder))
    if not found.checks and not folder.path and (last := LAST.part(folder, host)):
        return Target(path=folder.path, parts=(*parts, last))
    return found


def _folders(changed: Collection[str]) -> set[str]:
    return {path.rpartition("/")[0] for path in changed}


def _nearest(checkout: Path, host: Host, path: str, known: dict[str, Target]) -> str:
    """The innermost folder at or above the path with checks; empty for the checkout itself."""
    for folder in _upwards(path):
        if folder not in known:
            known[folder] = target(Folder(checkout=checkout, path=folder), host)
        if known[folder].checks:
            return folder
    return ""


def _upwards(path: str) -> Iterator[str]:
    """Folders of projects that it lies in, from the inside out."""
    parts = PurePosixPath(path).parts
    depth = next((at for at, part in enumerate(parts) if _NO_PROJECTS.fullmatch(part)), len(parts))
    for length in range(depth, 0, -1):
        yield "/".join(parts[:length])


def _wrapper(folder: Folder) -> Command | None:
    found = _MAKE_TARGET.search(folder.text(*MAKEFILES))
    if found:
        return Command(argv=("make", found[1]), directory=folder.path)
    found = _JUST_TARGET.search(folder.text(*JUSTFILES))
    return Command(argv=("just", found[1]), directory=folder.path) if found else None
