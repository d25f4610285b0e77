"""A unified diff as the files and lines that a page shows."""

from collections.abc import Iterator
from typing import Final

import msgspec

_TONES: Final = {"+": "add", "-": "del", "@": "hunk"}


class DiffFile(msgspec.Struct, frozen=True, kw_only=True):
    """The change of one file."""

    path: str
    lines: tuple[tuple[str, str], ...]
    """(tone, text) of each line."""
    added: int
    removed: int


def files_of(text: str) -> tuple[DiffFile, ...]:
    """The files of a patch of git, in its order."""
    return tuple(_file(lines) for lines in _sections(text))


def _sections(text: str) -> Iterator[list[str]]:
    section: list[str] = []
    for line in text.split("\n"):
        if line.startswith("diff --git ") and section:
            yield section
            section = []
        section.append(line)
    if any(section):
        yield section


def _file(lines: list[str]) -> DiffFile:
    shown, is_body = [], False
    added = removed = 0
    for line in lines:
        is_body = is_body or line.startswith("@@")
        tone = _TONES.get(line[:1], "") if is_body else "hunk"
        added += tone == "add"
        removed += tone == "del"
        shown.append((tone, line))
    return DiffFile(path=_path(lines), lines=tuple(shown), added=added, removed=removed)


def _path(lines: list[str]) -> str:
    """The new name, or the old one of a deleted file."""
    for mark in ("+++ ", "--- ", "rename to "):
        for line in lines:
            name = line.removeprefix(mark)
            if name not in (line, "/dev/null"):
                return name.removeprefix("b/").removeprefix("a/").strip('"')
    return lines[0].rpartition(" b/")[2]
