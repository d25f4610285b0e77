"""The parts of a gateway, and what its handlers get of them."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final

import httpx
import msgspec

from gateway.domain.deliveries.endpoint import SECRET_BYTES
from gateway.domain.kernel.commands import Pulse
from gateway.domain.kernel.errors import Unavailable
from gateway.domain.kernel.ids import RANDOM_BITS
from gateway.domain.kernel.keyring import NONCE_BYTES, Keyring
from gateway.domain.launching.realm import LIVE_FOR
from gateway.domain.operations.gauges import Gauges
from gateway.domain.operations.status import Danger, DiskState
from gateway.ledger import Ledger
from gateway.loops.deliveries.test_sender import TestSender
from gateway.loops.egress.address_guard import is_loopback, may_be_public
from gateway.loops.runner import Runner
from gateway.metrics.registry import Metrics
from gateway.metrics.stats import GatewayStats
from gateway.settings import Settings
from gateway.store.opened import OpenedStore
from gateway.web.context import Context
from gateway.web.http.admission import Admission
from gateway.web.http.auth import Keys
from gateway.web.http.single_flight import Cached
from gateway.web.launching.token_messages import AnswerSeal
from gateway.web.launching.waiting_tokens import WaitingTokens
from gateway.web.operations.recent_history import RecentHistory

READY_FOR: Final = 1_000
"""Milliseconds that a commit proves for `/readyz` that the store commits: anybody may ask."""
FIGURES_FOR: Final = 10_000
"""Milliseconds; to count a million tasks takes 0.2 s of the connection of all readers."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The collaborators of loops and handlers."""

    settings: Settings
    keyring: Keyring
    store: OpenedStore
    ledger: Ledger
    keys: Keys
    metrics: Metrics
    clock: Callable[[], int]
    transport: httpx.AsyncBaseTransport | None
    schedule: Sequence[int]
    """Milliseconds before each attempt at a delivery."""
    dangers: tuple[Danger, ...]
    """Of the place it runs in."""
    max_requests: int
    """Answered at a time."""
    log_dropped: Callable[[], int]
    """Lines of the log that could not be written."""
    leaving: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Set before a stop: requests are answered, but no more should come."""


def make_context(
    parts: Parts,
    *,
    tester: TestSender,
    runners: list[Runner],
    is_draining: Callable[[], bool],
    thread: Executor,
) -> Context:
    """The context of the handlers."""
    return Context(
        submit=parts.ledger.submit,
        notifier=parts.ledger.notifier,
        reads=parts.store.reads,
        keys=parts.keys,
        keyring=parts.keyring,
        policy=parts.ledger.policy,
        instance_id=parts.store.instance_id,
        clock=parts.clock,
        metrics=parts.metrics,
        random_bits=_random_bits().__next__,
        nonce=partial(secrets.token_bytes, NONCE_BYTES),
        secret=partial(secrets.token_bytes, SECRET_BYTES),
        may_be_public=may_be_public,
        is_loopback=is_loopback,
        try_endpoint=tester.send,
        is_healthy=lambda: all(runner.is_moving for runner in runners),
        is_draining=is_draining,
        admission=Admission(most=parts.max_requests),
        waiting_tokens=_waiting_tokens(parts, is_draining),
        thread=thread,
        disk=partial(disk_state, parts),
        gateways=lambda: parts.store.ownership.gateways,
        log_dropped=parts.log_dropped,
        dangers=parts.dangers,
        commits=_readiness(parts),
        stats=_stats(parts, runners),
        history=RecentHistory(parts.store.reads.history, parts.clock),
        public_url=parts.settings.public_url,
        daytona_secrets=parts.settings.daytona_webhook_secrets,
        github_secrets=parts.settings.github_webhook_secrets,
        follow_ups=parts.settings.follow_ups,
        follow_up_limit=parts.settings.follow_up_limit,
        snapshot=parts.settings.snapshot,
        allowed_repos=parts.settings.allowed_repos,
        allow_file_repos=parts.settings.allow_file_repos,
        allow_private_endpoints=parts.settings.allow_private_endpoints,
        allow_loopback_endpoints=parts.settings.allow_loopback_endpoints,
        portal_origins=parts.settings.portal_origins,
        workspace_wait_seconds=parts.settings.workspace_wait_seconds,
    )


def _random_bits() -> Iterator[int]:
    """Random bits for ids, from the kernel for many at once: a call of it for each takes 4 µs."""
    size = (RANDOM_BITS + 7) // 8
    while True:
        pool = secrets.token_bytes(256 * size)
        for at in range(0, len(pool), size):
            yield int.from_bytes(pool[at : at + size]) >> (8 * size - RANDOM_BITS)


def _waiting_tokens(parts: Parts, is_draining: Callable[[], bool]) -> WaitingTokens:
    return WaitingTokens(
        parts.ledger.notifier,
        peers=parts.store.peers,
        seal=AnswerSeal(parts.keyring, partial(secrets.token_bytes, NONCE_BYTES)),
        is_draining=is_draining,
    )


def disk_state(parts: Parts) -> DiskState:
    """The disk of the database; nothing of one that is not the gateway's."""
    disk, refusing = parts.store.disk, parts.ledger.read_only
    if disk is None:
        return DiskState(free=0, min_free=0, refusing=refusing)
    least = parts.settings.min_free_bytes
    return DiskState(free=disk.free, min_free=least, refusing=refusing)


def _readiness(parts: Parts) -> Callable[[], Awaitable[None]]:
    ledger, metrics, clock = parts.ledger, parts.metrics, parts.clock

    async def commit() -> None:
        """Commits a pulse. Behind thousands of callers that would take too long, and their own
        commits prove as much."""
        if not (ledger.waiting and metrics.has_committed_within(READY_FOR / 1000)):
            await ledger.submit(Pulse(at=clock()))

    committed = Cached(commit, keep=READY_FOR, clock=clock)

    async def ready() -> None:
        if parts.leaving.is_set():
            raise Unavailable("The gateway is about to stop.")
        await committed()

    return ready


def _stats(parts: Parts, runners: Sequence[Runner]) -> Callable[[], Awaitable[GatewayStats]]:
    store, ledger, clock = parts.store, parts.ledger, parts.clock

    async def look() -> Gauges:
        now = clock()
        return await store.reads.gauges(now=now, since=now - LIVE_FOR)

    gauges = Cached(look, keep=FIGURES_FOR, clock=clock)

    async def stats() -> GatewayStats:
        return GatewayStats(
            gauges=await gauges(),
            at=clock(),
            queue=ledger.waiting,
            log_dropped=parts.log_dropped(),
            failed_steps={runner.name: runner.failed_steps for runner in runners},
            idle_seconds={runner.name: runner.seconds_since_step for runner in runners},
            commit_age=parts.metrics.seconds_since_commit,
            wal_bytes=store.wal_bytes,
            disk=store.disk,
            min_free_bytes=parts.settings.min_free_bytes,
            is_read_only=ledger.read_only is not None,
            gateways=store.ownership.gateways,
            is_leader=store.ownership.is_leader,
            partitions=store.ownership.partitions,
        )

    return stats
