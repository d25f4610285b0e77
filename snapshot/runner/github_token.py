"""The GitHub token of an attempt; that of a GitHub App ends after an hour and is renewed."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from .failure import Failure

SPARE_SECONDS: Final = 600.0
"""A token that ends sooner is renewed before its next use: a push may take minutes."""
PAUSE_SECONDS: Final = 60.0
"""After a renewal that failed."""


class RenewedToken(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    token: str
    expires_at: datetime


class GitHubToken:
    """Does not print. Without `expires_at` (Unix seconds) it is never renewed."""

    def __init__(
        self,
        value: str,
        *,
        expires_at: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._value = value
        self._expires_at = expires_at
        self._clock = clock
        self._fetch: Callable[[], RenewedToken] | None = None
        self._learn: Callable[[str], None] = lambda _: None
        self._not_before = 0.0

    def __repr__(self) -> str:
        return "GitHubToken()"

    def connect(self, fetch: Callable[[], RenewedToken], learn: Callable[[str], None]) -> None:
        """Renew it by `fetch`, which may raise `Failure`; `learn` hears of the new secret first."""
        if self._expires_at is not None:
            self._fetch, self._learn = fetch, learn

    def current(self) -> str:
        """The token for one use, renewed if it ends soon; the old one if it cannot be renewed."""
        if self._expires_at is not None and self._clock() > self._expires_at - SPARE_SECONDS:
            self.renew()
        return self._value

    def renew(self) -> bool:
        """True if there is a new token; False too if that was tried a moment ago."""
        if self._fetch is None or self._clock() < self._not_before:
            return False
        self._not_before = self._clock() + PAUSE_SECONDS
        try:
            renewed = self._fetch()
        except Failure:
            return False
        self._learn(renewed.token)
        self._value, self._expires_at = renewed.token, renewed.expires_at.timestamp()
        return True
