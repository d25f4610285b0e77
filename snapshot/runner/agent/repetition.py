"""Loops of an agent: steps that were all taken before, while no file changed."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from .. import files

MOST_ROUNDS: Final = 3
"""Repetitions of a loop, of however many steps."""
MOST_STEPS: Final = 12
"""Repeated steps in a row, of a loop however long."""
_NUMBER: Final = re.compile(r"\d+")
_SKIPPED: Final = frozenset({".git", "node_modules"})


class Repetition:
    """Watches the steps of one agent: its commands and what they printed, but for numbers (times,
    process ids), and the sizes of the files."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._files: dict[tuple[object, ...], int | None] = {}
        """Step → the state of the files when it was repeated last."""
        self._repeated: list[tuple[object, ...]] = []

    def is_stuck(self, commands: Sequence[str], outputs: Sequence[str]) -> bool:
        """Take a step; True if it and those before it lead nowhere."""
        step = (*commands, *(_NUMBER.sub("0", output) for output in outputs))
        if step not in self._files:
            self._files[step] = None
            self._repeated.clear()
            return False
        state = hash(frozenset(_files(self._checkout)))
        if self._files[step] not in (None, state):
            self._repeated.clear()
        self._files[step] = state
        self._repeated.append(step)
        most = min(MOST_ROUNDS * len(set(self._repeated)), MOST_STEPS)
        return len(self._repeated) >= most


def _files(checkout: Path) -> Iterator[tuple[str, int]]:
    """Names and sizes; nothing is opened, which could be the agent's trap."""
    return ((entry.path, _size(entry)) for entry in files.walk(checkout, skipped=_SKIPPED))


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
