"""Tokens that work once."""

import hashlib
from typing import Final

MOST_USED: Final = 10_000
"""Used tokens that are remembered before the expired ones are dropped."""


class UsedTokens:
    """Tokens that have been used, until they expire."""

    def __init__(self) -> None:
        self._ends: dict[bytes, int] = {}

    def use(self, token: str, ends_at: int, now: int) -> bool:
        """False if the token was used before; moments in milliseconds."""
        digest = hashlib.sha256(token.encode()).digest()
        if self._ends.get(digest, 0) > now:
            return False
        if len(self._ends) >= MOST_USED:
            self._ends = {known: end for known, end in self._ends.items() if end > now}
        self._ends[digest] = ends_at
        return True

    def forget(self, token: str) -> None:
        """The token may be used again: its use had no effect."""
        self._ends.pop(hashlib.sha256(token.encode()).digest(), None)
