"""The projects of a checkout that a change concerns: their parts, and their own test command."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from .ecosystems import LAST, TABLE
from .folder import Folder
from .plan import Command, Host, Target

LARGEST_TARGETS: Final = 5
SCANNED_DEPTH: Final = 2
"""For projects in a checkout that is none itself."""
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
    if found and any(each.checks for each in found) and len(found) <= LARGEST_TARGETS:
        return tuple(found)
    if whole.checks:
        return (whole,)
    inner = [each for each in _inner(Folder(checkout=checkout), host, SCANNED_DEPTH) if each.checks]
    return tuple(inner[:LARGEST_TARGETS]) or (whole,)


def target(folder: Folder, host: Host) -> Target:
    """The project in one folder."""
    parts = [part for row in TABLE if (part := row.part(folder, host)) is not None]
    found = Target(path=folder.path, parts=tuple(parts), wrapper=_wrapper(folder))
    if found.checks or folder.path:
        return found
    last = next(filter(None, (row.part(folder, host) for row in LAST)), None)
    return msgspec.structs.replace(found, parts=(*parts, last)) if last else found


def _inner(folder: Folder, host: Host, depth: int) -> Iterator[Target]:
    """The projects below a folder that is none itself."""
    for name in sorted(folder.names):
        inner = folder.inner(name)
        if _NO_PROJECTS.fullmatch(name) or name.startswith(".") or not inner.names:
            continue
        found = target(inner, host)
        if found.checks:
            yield found
        elif depth > 1:
            yield from _inner(inner, host, depth - 1)


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
