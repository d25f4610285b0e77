"""Worktrees that the agent linked to its checkout (`git worktree add`), wherever they are."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from .. import files
from . import references
from .references import LARGEST_NAME_BYTES, Reference

_POINTER: Final = "gitdir: "


class Worktree(NamedTuple):
    path: Path
    head: str | None
    """The commit that is checked out there."""


def read(theirs: Path, known: Mapping[str, Reference]) -> Iterator[Worktree]:
    """The existing ones. `theirs` is the agent's git directory, and `known` its references.

    The agent could have named any folder. One that is a worktree points back at `theirs`.
    """
    for folder in references.worktree_folders(theirs):
        pointer = folder / _text(folder / "gitdir")
        there = _text(pointer)
        back = pointer.parent / there.removeprefix(_POINTER)
        if there.startswith(_POINTER) and os.path.realpath(back) == os.path.realpath(folder):
            path = Path(os.path.realpath(pointer.parent))
            yield Worktree(path, references.head(folder, known))


def _text(file: Path) -> str:
    """The line of a file that git wrote; empty where there is none."""
    content = files.read(file, most=LARGEST_NAME_BYTES) or b""
    return "" if b"\0" in content else os.fsdecode(content).removesuffix("\n")
