"""Shrinking: the plainest run that still fails in the same way.

Streams are emptied, then zeros, the plain choice, are written over ever shorter pieces of them.
Streams do not shift each other, so what is left keeps its meaning.
"""

from collections.abc import Callable
from typing import Final

from tests.simulation.choices import Recording

TRIES: Final = 1_500
"""Runs a shrinking may cost."""

Fails = Callable[[Recording], bool]
"""True if the run of a recording still fails in the same way."""


def shrink(recording: Recording, fails: Fails, *, tries: int = TRIES) -> Recording:
    """The plainest recording found within so many tries."""
    shrinking = _Shrinking(recording, fails, tries)
    while shrinking.round() and shrinking.left > 0:
        pass
    return shrinking.best


class _Shrinking:
    def __init__(self, recording: Recording, fails: Fails, tries: int) -> None:
        self.best = {name: _trimmed(drawn) for name, drawn in recording.items()}
        self.left = tries
        self._fails = fails

    def round(self) -> bool:
        """Every stream once; whether anything became plainer."""
        before = self.best
        for name in sorted(self.best, key=lambda name: -len(self.best[name])):
            if self.best[name] and not self._try(name, []):
                self._write_zeros(name)
        return self.best != before

    def _write_zeros(self, name: str) -> None:
        size = len(self.best[name])
        while (size := size // 2) > 0:
            start = 0
            while start < len(self.best[name]) and self.left > 0:
                drawn = self.best[name]
                end = start + size
                if any(drawn[start:end]):
                    self._try(name, [*drawn[:start], *[0] * size, *drawn[end:]])
                start = end

    def _try(self, name: str, drawn: list[int]) -> bool:
        self.left -= 1
        candidate = {**self.best, name: _trimmed(drawn)}
        if not self._fails(candidate):
            return False
        self.best = candidate
        return True


def _trimmed(drawn: list[int]) -> list[int]:
    """Without the zeros at its end, which are there anyway."""
    end = len(drawn)
    while end and drawn[end - 1] == 0:
        end -= 1
    return drawn[:end]
