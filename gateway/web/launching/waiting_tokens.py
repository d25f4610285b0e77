"""Requests of agents for a new GitHub token, until a launcher with a GitHub App has answered.

They live in memory alone, and so do the answers: an agent that gets no answer asks again. If no
launcher answers at this gateway, the request is sent to the others.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import structlog

from gateway.domain.kernel.errors import Unavailable
from gateway.domain.kernel.keyring import UnknownKey, Unreadable
from gateway.notifier import Notifier
from gateway.store.peers import Peers
from gateway.web.launching.token_messages import (
    AgentAsks,
    AgentLeaves,
    AnswerSeal,
    LauncherAnswers,
    LauncherWaits,
    decoded,
    encoded,
)
from gateway.wire.github_tokens import TokenAnswer, TokenRequest

log = structlog.get_logger(__name__)

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
ELSEWHERE_SECONDS: Final = 30.0
"""A request of another gateway is forgotten then, if that one has not said that it is over."""
ANNOUNCE_EVERY: Final = 8.0
"""Seconds after which the others are sent again that a launcher waits here."""

LauncherKey = tuple[str, str]
"""The project that a launcher serves (empty: all), and its id."""


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
    is_forwarded: bool = False
    """Other gateways know of it."""
    ends_at: float = 0.0
    """The time at which a request of another gateway is forgotten."""

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
        peers: Peers,
        seal: AnswerSeal,
        is_draining: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier = notifier
        self._is_draining = is_draining
        self._monotonic = monotonic
        self._peers = peers
        self._seal = seal
        self._began_at = monotonic()
        self._waiting: dict[tuple[str, int], Waiting] = {}
        self._elsewhere: dict[str, Waiting] = {}
        """Requests of agents that wait at other gateways, by id."""
        self._asked_at: dict[LauncherKey, float] = {}
        """The last moment at which each launcher waited here."""
        self._seen_at: dict[LauncherKey, float] = {}
        """The last moment at which each waited at another gateway."""
        self._last_sent: dict[LauncherKey, float] = {}
        peers.subscribe(self._receive)

    def has_launcher(self, project: str) -> bool:
        """True if a launcher with a GitHub App waits for requests of the project, or just did; also
        if this gateway is too new to know of launchers at others."""
        is_new = self._monotonic() - self._began_at < 2 * ANNOUNCE_EVERY
        return bool(self._launchers(project)) or (self._peers.are_there and is_new)

    def _launchers(self, project: str) -> set[str]:
        return self._live(self._asked_at, project) | self._live(self._seen_at, project)

    def _live(self, launchers: dict[LauncherKey, float], project: str) -> set[str]:
        alive = self._monotonic() - LIVE_SECONDS
        return {
            launcher_id
            for (served, launcher_id), at in launchers.items()
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
        if entry.is_forwarded:
            await self._peers.send(encoded(AgentLeaves(request_id=entry.request.id)))
        return entry

    async def _wait(self, entry: Waiting, end: float) -> None:
        with self._notifier.listen(entry.topic) as listener:
            self._notifier.notify((TOPIC,))
            alone_until = self._monotonic() + OFFERED_SECONDS
            while entry.answer is None and not self._is_draining():
                now = self._monotonic()
                if now >= end:
                    return
                here = self._live(self._asked_at, entry.project) - entry.refused_by
                if not entry.is_forwarded and (not here or now >= alone_until):
                    await self._forward(entry)
                    continue
                await listener.wait(
                    end - now if entry.is_forwarded else min(end, alone_until) - now
                )

    async def _forward(self, entry: Waiting) -> None:
        """Launchers at other gateways may answer too; the first answer counts."""
        entry.is_forwarded = True
        asks = AgentAsks(request=entry.request, project=entry.project)
        await self._peers.send(encoded(asks))

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
                await self._note((served, launcher_id))
                found = tuple(self._offer(served, launcher_id))
                left = end - self._monotonic()
                if found or left <= 0 or self._is_draining():
                    return found
                await listener.wait(min(left, OFFERED_SECONDS))
        return ()

    async def _note(self, launcher: LauncherKey) -> None:
        """Record that the launcher waits, and tell the others."""
        self._asked_at = self._with(self._asked_at, launcher)
        if self._monotonic() - self._last_sent.get(launcher, -ANNOUNCE_EVERY) >= ANNOUNCE_EVERY:
            self._last_sent = self._with(self._last_sent, launcher)
            served, launcher_id = launcher
            waits = LauncherWaits(served=served, launcher_id=launcher_id)
            await self._peers.send(encoded(waits))

    def _with(
        self, launchers: dict[LauncherKey, float], launcher: LauncherKey
    ) -> dict[LauncherKey, float]:
        """These with one that waits now, without those that have not for long."""
        now = self._monotonic()
        live = {key: at for key, at in launchers.items() if now - at < LIVE_SECONDS}
        return {**live, launcher: now}

    def _offer(self, served: str, launcher_id: str) -> Iterator[TokenRequest]:
        now = self._monotonic()
        waiting = chain(self._waiting.values(), self._others(now))
        due = [entry for entry in waiting if entry.is_open_to(served, launcher_id, now)]
        for entry in due[:MOST_AT_ONCE]:
            entry.offered_at, entry.offered_to = now, launcher_id
            yield entry.request

    def holder(self, request_id: str, served: str) -> str:
        """The launcher that the request was last offered to; empty if nobody waits."""
        entry = self._find(request_id, served)
        return entry.offered_to if entry is not None else ""

    def _others(self, now: float) -> Iterator[Waiting]:
        """Requests of other gateways, without those that are over."""
        self._elsewhere = {k: each for k, each in self._elsewhere.items() if each.ends_at > now}
        yield from self._elsewhere.values()

    async def settle(self, request_id: str, served: str, answer: TokenAnswer) -> bool:
        """True if somebody waits for it; the first answer counts, and a refusal only if there is
        no other launcher to ask."""
        entry = self._find(request_id, served)
        if entry is None:
            return False
        launcher_id, entry.offered_at = entry.offered_to, None
        if request_id not in self._elsewhere:
            self._take_answer(entry, launcher_id, answer)
            return True
        if _is_final(answer):
            entry.refused_by.add(launcher_id)
            self._notifier.notify((TOPIC,))
        else:
            del self._elsewhere[request_id]
        sealed = self._seal.close(request_id, answer)
        message = LauncherAnswers(request_id=request_id, launcher_id=launcher_id, sealed=sealed)
        await self._peers.send(encoded(message))
        return True

    def _take_answer(self, entry: Waiting, launcher_id: str, answer: TokenAnswer) -> None:
        if _is_final(answer):
            entry.refused_by.add(launcher_id)
            if self._launchers(entry.project) - entry.refused_by:
                self._notifier.notify((TOPIC, entry.topic))
                return
        entry.answer = entry.answer or answer
        self._notifier.notify((entry.topic,))

    def _find(self, request_id: str, served: str) -> Waiting | None:
        waiting = chain(self._waiting.values(), self._others(self._monotonic()))
        found = (entry for entry in waiting if entry.request.id == request_id)
        return next((entry for entry in found if served in {"", entry.project}), None)

    def _receive(self, message: str) -> None:
        """Receives a message of another gateway about its agents and launchers."""
        match decoded(message):
            case LauncherWaits(served=served, launcher_id=launcher_id):
                self._seen_at = self._with(self._seen_at, (served, launcher_id))
            case AgentAsks(request=request, project=project):
                self._note_elsewhere(Waiting(request=request, project=project))
            case AgentLeaves(request_id=request_id):
                self._elsewhere.pop(request_id, None)
            case LauncherAnswers() as answered:
                self._receive_answer(answered)

    def _note_elsewhere(self, entry: Waiting) -> None:
        now = self._monotonic()
        if len([*self._others(now)]) < MOST:
            entry.ends_at = now + ELSEWHERE_SECONDS
            self._elsewhere[entry.request.id] = entry
            self._notifier.notify((TOPIC,))

    def _receive_answer(self, answered: LauncherAnswers) -> None:
        for entry in self._waiting.values():
            if entry.request.id == answered.request_id:
                self._open_answer(entry, answered)

    def _open_answer(self, entry: Waiting, answered: LauncherAnswers) -> None:
        try:
            answer = self._seal.open(answered.request_id, answered.sealed)
        except (UnknownKey, Unreadable):
            # The agent asks again, and its launcher may be at another gateway then.
            log.warning(
                "github_token.unreadable_answer",
                task=entry.request.task_id,
                attempt=entry.request.attempt,
                launcher=answered.launcher_id,
                key_id=answered.sealed.key_id,
                do="give every gateway the same SLIPGATE_SECRET_KEYS",
            )
        else:
            self._take_answer(entry, answered.launcher_id, answer)


def _is_final(answer: TokenAnswer) -> bool:
    """True for a refusal that asking again would not change."""
    return answer.error is not None and not answer.error.retryable
