"""The composition root of the gateway: settings in, a running gateway out."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx
from starlette.types import ASGIApp

from gateway.domain.kernel.ids import RANDOM_BITS, typeid
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.policy import Policy
from gateway.domain.operations.status import Danger
from gateway.ledger import MAX_BATCH, Ledger, wall_clock
from gateway.loops.alerts import AlertWatch
from gateway.loops.bulk import BulkRunner
from gateway.loops.checkpoint import Checkpointer
from gateway.loops.deliveries.admission import Limits
from gateway.loops.deliveries.attempt import AttemptRunner
from gateway.loops.deliveries.deliver import Deliverer
from gateway.loops.deliveries.message_builder import MessageBuilder
from gateway.loops.deliveries.post import Send, sender, traced
from gateway.loops.deliveries.replays import Replayer
from gateway.loops.deliveries.schedule import SCHEDULE, Timing
from gateway.loops.deliveries.test_sender import TestSender
from gateway.loops.egress.address_guard import Guard
from gateway.loops.egress.outgoing import outgoing
from gateway.loops.key_uses import KeyUseRecorder
from gateway.loops.lag import LagMeter
from gateway.loops.months import MonthlyPartitions
from gateway.loops.prune import Pruner
from gateway.loops.reconcile import Reconciler
from gateway.loops.runner import LeaderLoop, Loop, Runner
from gateway.metrics.registry import Metrics
from gateway.metrics.span_export import exporting
from gateway.metrics.traces import Traces
from gateway.notifier import Notifier
from gateway.parts import Parts, disk_state, make_context
from gateway.settings import Settings
from gateway.store.opened import OpenedStore, OpenStore, open_store
from gateway.web.deliveries.messages import rendering
from gateway.web.http.auth import Keys
from gateway.web.http.middleware import Application
from gateway.web.routes import DASHBOARD, PORTAL, ROUTES

SETTLE_SECONDS: Final = 2
"""Seconds that receivers have to answer what was sent before the stop. Most answer within one; what
is abandoned is sent again after the start."""
MAX_REQUESTS: Final = 4_096
DAY: Final = 86_400_000
"""Milliseconds."""


@dataclass(kw_only=True)
class Gateway:
    """A gateway whose loops run; `stop()` says that it takes nothing new, `leave()` that it soon
    will not."""

    app: ASGIApp
    instance_id: str
    leave: Callable[[], None]
    stop: Callable[[], None]
    connection_refused: Callable[[str], None]
    """Counts one, by its reason."""


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    clock: Callable[[], int] = wall_clock,
    transport: httpx.AsyncBaseTransport | None = None,
    max_batch: int = MAX_BATCH,
    take_over: bool = False,
    schedule: Sequence[int] = SCHEDULE,
    dangers: Sequence[Danger] = (),
    max_requests: int = MAX_REQUESTS,
    log_dropped: Callable[[], int] = lambda: 0,
    open_store: OpenStore = open_store,
) -> AsyncIterator[Gateway]:
    """Everything a gateway is made of, opened in order and closed in the opposite one.

    At the end the loops take their last step, attempts in flight are settled or, after some
    seconds, given up, the ledger writes what it has taken, and the store is closed. `take_over`
    lets a restored backup keep its instance id: the gateway it was taken from is gone for good.

    Raises:
        ApiError: another gateway holds the database, its schema is newer, or something living
            needs a master key that is not given, or another one was given under its id.
    """
    keyring = Keyring(settings.secret_keys)
    async with (
        exporting(settings.otlp_endpoint) as export,
        open_store(
            settings.database, keyring=keyring, new_id=_new_id, take_over=take_over
        ) as store,
    ):
        metrics = Metrics(traces=Traces(export, clock))
        parts = Parts(
            settings=settings,
            keyring=keyring,
            store=store,
            ledger=_ledger(settings, keyring, store, metrics, clock=clock, max_batch=max_batch),
            keys=Keys(store.reads.api_key, clock),
            metrics=metrics,
            clock=clock,
            transport=transport,
            schedule=schedule,
            dangers=tuple(dangers),
            max_requests=max_requests,
            log_dropped=log_dropped,
        )
        async with _running(parts) as gateway:
            yield gateway


@asynccontextmanager
async def _running(parts: Parts) -> AsyncIterator[Gateway]:
    ledger, reads, clock = parts.ledger, parts.store.reads, parts.clock
    draining = asyncio.Event()
    render = rendering(reads, parts.settings.public_url)
    messages = MessageBuilder(reads, parts.keyring, render, clock)
    async with (
        _thread() as thread,
        ledger.running(),
        parts.transport or _outgoing(parts.settings) as way_out,
        asyncio.TaskGroup() as group,
    ):
        send = traced(sender(way_out, clock), parts.metrics.traces, clock)
        attempts, deliverer = _delivering(parts, messages, send, group, draining.is_set)
        ledger.followers.extend(
            (
                parts.store.ownership.follow,
                messages.follow,
                deliverer.follow,
                *parts.metrics.followers,
            )
        )
        group.create_task(parts.store.keep_session(deliverer), name="session")
        runners = _started((deliverer, *_background_loops(parts)), ledger.notifier, group)
        context = make_context(
            parts,
            tester=TestSender(messages.build_test, send, clock),
            runners=runners,
            is_draining=draining.is_set,
            thread=thread,
        )

        with _stoppable(parts, draining, attempts, runners) as stop:
            yield Gateway(
                app=Application(context, (*ROUTES, *DASHBOARD, *PORTAL)),
                instance_id=parts.store.instance_id,
                leave=parts.leaving.set,
                stop=stop,
                connection_refused=parts.metrics.count_refused_connection,
            )


def _delivering(
    parts: Parts,
    messages: MessageBuilder,
    send: Send,
    group: asyncio.TaskGroup,
    is_stopping: Callable[[], bool],
) -> tuple[AttemptRunner, Deliverer]:
    limits, ownership = Limits(), parts.store.ownership
    timing = Timing(
        clock=parts.clock,
        random=random.SystemRandom().random,
        schedule=parts.schedule,
        is_stopping=is_stopping,
    )
    attempts = AttemptRunner(
        messages.build,
        send,
        parts.ledger.submit,
        limits=limits,
        timing=timing,
        ownership=ownership,
    )
    deliverer = Deliverer(
        parts.store.reads,
        attempts,
        limits=limits,
        timing=timing,
        notifier=parts.ledger.notifier,
        group=group,
        ownership=ownership,
    )
    return attempts, deliverer


@asynccontextmanager
async def _thread() -> AsyncIterator[Executor]:
    with ThreadPoolExecutor(1, "beside-loop") as thread:
        yield thread


@contextmanager
def _stoppable(
    parts: Parts, draining: asyncio.Event, attempts: AttemptRunner, runners: Sequence[Runner]
) -> Iterator[Callable[[], None]]:
    """The stop of a gateway, which also comes at the end; its loops take their last step then."""

    def stop() -> None:
        if not draining.is_set():
            asyncio.get_running_loop().call_later(SETTLE_SECONDS, attempts.abandon)
        draining.set()
        parts.store.leave()
        parts.ledger.notifier.notify_all()

    try:
        yield stop
    finally:
        stop()
        for runner in runners:
            runner.stop()


def _started(loops: Sequence[Loop], notifier: Notifier, group: asyncio.TaskGroup) -> list[Runner]:
    runners = [Runner(loop, notifier) for loop in loops]
    for runner in runners:
        group.create_task(runner.run(), name=runner.name)
    return runners


def _background_loops(parts: Parts) -> tuple[Loop, ...]:
    """Background loops. Their commands have low priority in the ledger."""
    ledger, reads, clock = parts.ledger, parts.store.reads, parts.clock
    submit = partial(ledger.submit, is_background=True)
    retention = parts.settings.retention_days * DAY
    for_all = (
        Reconciler(reads, submit, clock),
        Pruner(reads, ledger.submit, clock, retention=retention),
        Replayer(reads.endpoints, submit),
        BulkRunner(reads, submit),
        AlertWatch(reads, submit, clock, partial(disk_state, parts)),
        MonthlyPartitions(
            partial(parts.store.keep_months, is_wanted=parts.settings.retention_by_month), clock
        ),
    )
    return (
        *(LeaderLoop(loop, parts.store.ownership) for loop in for_all),
        Checkpointer(lambda: parts.store.written, parts.store.checkpoint),
        KeyUseRecorder(lambda: parts.keys.uses, submit),
        LagMeter(parts.metrics.count_lag),
    )


def _ledger(
    settings: Settings,
    keyring: Keyring,
    store: OpenedStore,
    metrics: Metrics,
    *,
    clock: Callable[[], int],
    max_batch: int,
) -> Ledger:
    policy = Policy(
        key_id=keyring.current,
        instance_id=store.instance_id,
        started_at=clock(),
        lease=settings.lease_seconds * 1000,
        concurrency_per_key=settings.concurrency_per_key,
        spool_only=settings.public_url is None,
    )
    return Ledger(store, policy, clock=clock, max_batch=max_batch, committed=metrics.count_commit)


def _outgoing(settings: Settings) -> httpx.AsyncBaseTransport:
    return outgoing(
        Guard(
            allow_private=settings.allow_private_endpoints,
            allow_loopback=settings.allow_loopback_endpoints,
        ),
        settings.authorities.context,
        proxy=settings.egress_proxy,
    )


def _new_id(prefix: str) -> str:
    return typeid(prefix, wall_clock(), secrets.randbits(RANDOM_BITS))
