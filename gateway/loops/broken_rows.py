"""Rows on which a rule breaks: left alone for a while, so that they stop no other."""

import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

K = TypeVar("K")

LEFT_ALONE: Final = 60.0
"""Seconds until such a row is tried again."""


class BrokenRows(Generic[K]):
    """The rows of a loop that broke lately, by what the loop knows them by."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._found_at: dict[K, float] = {}

    def add(self, key: K) -> None:
        """Leaves a row alone from now on."""
        self._found_at[key] = self._monotonic()

    def current(self) -> frozenset[K]:
        """The rows that are left alone now."""
        now = self._monotonic()
        self._found_at = {key: at for key, at in self._found_at.items() if now - at < LEFT_ALONE}
        return frozenset(self._found_at)
