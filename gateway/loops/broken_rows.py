"""Rows on which a rule breaks: left alone for a while, so that they stop no other."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

import structlog

from gateway.domain.kernel.errors import Unavailable

K = TypeVar("K")

log = structlog.get_logger(__name__)

LEFT_ALONE: Final = 60.0
"""Seconds until such a row is tried again."""


class BrokenRows(Generic[K]):
    """The rows of a loop that broke lately, by what the loop knows them by."""

    def __init__(self, loop: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._monotonic = monotonic
        self._found_at: dict[K, float] = {}

    @contextmanager
    def guarded(self, key: K, **shown: str) -> Iterator[None]:
        """A block of work on one row; if it breaks, the row is left alone from now on. `shown` is
        for the log."""
        try:
            yield
        except Unavailable:
            raise
        except Exception as exc:  # noqa: BLE001 - one broken row must not stop the loop of all
            # The ledger has logged the traceback.
            self._found_at[key] = self._monotonic()
            log.warning("loop.broken_row", loop=self._loop, error=type(exc).__name__, **shown)

    def current(self) -> frozenset[K]:
        """The rows that are left alone now."""
        now = self._monotonic()
        self._found_at = {key: at for key, at in self._found_at.items() if now - at < LEFT_ALONE}
        return frozenset(self._found_at)
