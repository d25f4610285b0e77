"""Requests of agents for a new GitHub token, until a launcher with a GitHub App has answered.

They live in memory alone, and so do the answers: an agent that hears nothing asks again.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway.domain.kernel.errors import Unavailable
from gateway.notifier import Notifier
from gateway.wire.github_tokens import TokenAnswer, TokenRequest

TOPIC: Final = "tokens"
MOST: Final = 500
"""Attempts that wait at a time."""
MOST_AT_ONCE: Final = 20
"""Of one reply to a launcher."""
OFFERED_SECONDS: Final = 10.0
"""An offer that was not answered for so long is made to the next launcher."""
LIVE_SECONDS: Final = 40.0
"""More than a launcher lets pass between two of its looks."""
BUSY_SECONDS: Final = 5
"""Retry-After."""


@dataclass(kw_only=True, slots=True)
class Waiting:
    """The request of one attempt, for as long as somebody waits for its answer."""

    request: TokenRequest
    project: str
    offered_at: float | None = None
    offered_to: str = ""
    """A launcher."""
    refused_by: set[str] = field(default_factory=set)
    """Launchers whose App is not for its repository; another one's may be."""
    answer: TokenAnswer | None = field(default=None, repr=False)
    listeners: int = 0

    @property
    def topic(self) -> str:
        return f"token:{self.request.id}"

    def is_open_to(self, served: str, launcher_id: str, now: float) -> bool:
        is_served = served in {"", self.project} and self.answer is None
        is_free = self.offered_at is None or now - self.offered_at >= OFFERED_SECONDS
        return is_served and is_free and launcher_id not in self.refused_by


class WaitingTokens:
    """All requests that wait. `served` is the project of a launcher's key; empty: all."""

    def __init__(
        self,
        notifier: Notifier,
        *,
        is_draining: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier = notifier
        self._is_draining = is_draining
        self._monotonic = monotonic
        self._waiting: dict[tuple[str, int], Waiting] = {}
        self._asked_at: dict[tuple[str, str], float] = {}
        """The last moment at which a launcher waited, by the project that it serves and its id."""

    def has_launcher(self, project: str) -> bool:
        """True if a launcher with a GitHub App waits for requests of the project, or just did."""
        return bool(self._launchers(project))

    def _launchers(self, project: str) -> set[str]:
        alive = self._monotonic() - LIVE_SECONDS
        return {
            launcher_id
            for (served, launcher_id), at in self._asked_at.items()
            if served in {"", project} and at > alive
        }

    async def ask(self, request: TokenRequest, project: str, *, seconds: float) -> Waiting:
        """The request, answered or not, after at most so many seconds; an attempt has one."""
        key = (request.task_id, request.attempt)
        if key not in self._waiting and len(self._waiting) >= MOST:
            raise Unavailable("Too many agents wait for a token.", retry_after=BUSY_SECONDS)
        entry = self._waiting.setdefault(key, Waiting(request=request, project=project))
        entry.listeners += 1
        try:
            await self._wait(entry, self._monotonic() + seconds)
        finally:
            entry.listeners -= 1
            if not entry.listeners:
                del self._waiting[key]
        return entry

    async def _wait(self, entry: Waiting, end: float) -> None:
        with self._notifier.listen(entry.topic) as listener:
            self._notifier.notify((TOPIC,))
            while entry.answer is None and not self._is_draining():
                left = end - self._monotonic()
                if left <= 0:
                    return
                await listener.wait(left)

    async def take(
        self,
        served: str,
        launcher_id: str,
        *,
        seconds: float,
        is_gone: Callable[[], Awaitable[bool]],
    ) -> tuple[TokenRequest, ...]:
        """Requests to answer, once there are any; none for a caller that is gone."""
        end = self._monotonic() + seconds
        with self._notifier.listen(TOPIC) as listener:
            while not await is_gone():
                self._note(served, launcher_id)
                found = tuple(self._offer(served, launcher_id))
                left = end - self._monotonic()
                if found or left <= 0 or self._is_draining():
                    return found
                await listener.wait(min(left, OFFERED_SECONDS))
        return ()

    def _note(self, served: str, launcher_id: str) -> None:
        """Record that the launcher waits, and forget those that have not for long."""
        now = self._monotonic()
        asked_at = {key: at for key, at in self._asked_at.items() if now - at < LIVE_SECONDS}
        self._asked_at = {**asked_at, (served, launcher_id): now}

    def _offer(self, served: str, launcher_id: str) -> Iterator[TokenRequest]:
        now = self._monotonic()
        waiting = self._waiting.values()
        due = [entry for entry in waiting if entry.is_open_to(served, launcher_id, now)]
        for entry in due[:MOST_AT_ONCE]:
            entry.offered_at, entry.offered_to = now, launcher_id
            yield entry.request

    def holder(self, request_id: str, served: str) -> str:
        """The launcher that the request was last offered to; empty if nobody waits."""
        entry = self._find(request_id, served)
        return entry.offered_to if entry is not None else ""

    def settle(self, request_id: str, served: str, answer: TokenAnswer) -> bool:
        """True if somebody waits for it; the first answer counts, and a refusal only if there is
        no other launcher to ask."""
        entry = self._find(request_id, served)
        if entry is None:
            return False
        if self._is_left_to_others(entry, answer):
            entry.offered_at = None
            self._notifier.notify((TOPIC,))
        else:
            entry.answer = entry.answer or answer
            self._notifier.notify((entry.topic,))
        return True

    def _find(self, request_id: str, served: str) -> Waiting | None:
        found = (entry for entry in self._waiting.values() if entry.request.id == request_id)
        return next((entry for entry in found if served in {"", entry.project}), None)

    def _is_left_to_others(self, entry: Waiting, answer: TokenAnswer) -> bool:
        if answer.error is None or answer.error.retryable:
            return False
        entry.refused_by.add(entry.offered_to)
        return bool(self._launchers(entry.project) - entry.refused_by)
