"""The trace: what happened, in the words of a person who reads it; empty unless somebody reads."""

from collections.abc import Callable
from typing import Any


class Trace:
    """Lines with the second at which they happened."""

    def __init__(self, *, is_read: bool) -> None:
        self.is_read = is_read
        self.lines: list[str] = []
        self.clock: Callable[[], float] = float

    def note(self, who: str, what: str) -> None:
        """A line, if anybody reads it."""
        if self.is_read:
            self.lines.append(f"{self.clock():10.3f}  {who:<12} {what}")

    def answer(self, command: Any, answer: Any) -> None:
        """Records the ledger's answer to a command."""
        if self.is_read:
            self.note("ledger", f"{_short(command)} → {_short(answer)}")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 400 else f"{text[:400]}…"
