"""Clones that the agent made beside its checkout, in the folders that its commands may write."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .. import files

SECONDS: Final = 1.0
DEEPEST: Final = 3
"""Levels of folders; tests make repositories of their own further below."""
MOST: Final = 10


def found(around: Path, checkout: Path) -> list[Path]:
    """The first repositories in the folders around the checkout, as far as the time goes."""
    ends_at = time.monotonic() + SECONDS
    clones: list[Path] = []
    level = [around]
    for _ in range(DEEPEST + 1):
        level = [folder for one in level for folder in _folders(one, ends_at) if folder != checkout]
        clones += [folder for folder in level if files.is_directory(folder / ".git" / "objects")]
    return sorted(clones)[:MOST]


def _folders(folder: Path, ends_at: float) -> Iterator[Path]:
    """Its folders, in a repository none: neither links nor hidden ones, which are caches."""
    if time.monotonic() > ends_at or os.path.lexists(folder / ".git"):
        return
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                    yield Path(entry.path)
    except OSError:
        return
