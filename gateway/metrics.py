"""Metrics in Prometheus' text form."""

import math
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from operator import add
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Metric, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

from gateway.domain.operations.gauges import Gauges
from gateway.domain.tasks.task import FLAG_ORDER, Frozen, Status

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BOUNDS: Final = (*map(str, _BUCKETS), "+Inf")
REFUSED_CONNECTIONS: Final = (
    "request_timeout",
    "uri_too_long",
    "headers_too_large",
    "invalid_http",
    "answer_not_read",
    "no_room",
)
"""Why a connection was ended; the first four are codes of the answer."""


class GatewayStats(Frozen, frozen=True, kw_only=True):
    """The state of the gateway at one moment."""

    at: int
    """Milliseconds."""
    gauges: Gauges
    """These may be some seconds old."""
    queue: int
    """Commands that the ledger has not begun to write."""
    log_dropped: int = 0
    """Lines of the log that could not be written, since the start."""
    failed_steps: Mapping[str, int]
    """By loop, since the start."""
    wal_bytes: int
    """The length of the database's log."""


class Metrics:
    """The counters of one gateway; none is global, so two gateways can live in one process."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.committed_at = -math.inf
        """The end of the last transaction (monotonic seconds)."""
        self._registry = CollectorRegistry()
        self._requests = _Requests()
        self._registry.register(self._requests)
        self._refused = Counter(
            "slipgate_webhooks_refused",
            "Webhooks that were not taken.",
            ("source", "code"),
            registry=self._registry,
        )
        self._connections = Counter(
            "slipgate_connections_refused",
            "Connections ended before a request of theirs reached us, or its answer them.",
            ("reason",),
            registry=self._registry,
        )
        for reason in REFUSED_CONNECTIONS:
            self._connections.labels(reason)
        self._commits = _Commits()
        self._registry.register(self._commits)

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One answer; `route` is the handler, never the path, which anybody can invent."""
        self._requests.count(route, method, status, seconds)

    def count_refused_webhook(self, source: str, code: str) -> None:
        """A refused message, and the code of the refusal."""
        self._refused.labels(source, code).inc()

    def count_refused_connection(self, reason: str) -> None:
        """One of `REFUSED_CONNECTIONS`."""
        self._connections.labels(reason).inc()

    def count_commit(self, seconds: float) -> None:
        """One transaction of the ledger, from its beginning until it was on the disk."""
        self._commits.answers.count(seconds)
        self.committed_at = self._monotonic()

    def has_committed_within(self, seconds: float) -> bool:
        """True if a transaction has ended within these seconds."""
        return self._monotonic() - self.committed_at < seconds

    @property
    def seconds_since_commit(self) -> float | None:
        """None before the first."""
        seconds = self._monotonic() - self.committed_at
        return None if math.isinf(seconds) else seconds

    def render(self, stats: GatewayStats) -> bytes:
        """Everything, with how it stands just now."""
        now = CollectorRegistry()
        now.register(_Now(stats))
        return generate_latest(self._registry) + generate_latest(now)


class _Now(Collector):
    """Gauges: read when they are asked for."""

    def __init__(self, stats: GatewayStats) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Gauges of this moment; what could be there and is not, is 0."""
        now, gauges = self._stats, self._stats.gauges
        tasks = {status.value: gauges.tasks.get(status, 0) for status in Status}
        flags = {code: gauges.flags.get(code, 0) for code in FLAG_ORDER}
        yield _gauges("slipgate_tasks", "Tasks by state.", "status", tasks)
        yield _gauges("slipgate_flags", "Tasks that have a flag.", "code", flags)
        yield _gauges("slipgate_deliveries", "Deliveries not arrived.", "status", gauges.deliveries)
        due = gauges.oldest_due_at
        waits = 0.0 if due is None else max(0, now.at - due) / 1000
        yield GaugeMetricFamily(
            "slipgate_deliveries_oldest_due_seconds", "How long one is due.", value=waits
        )
        yield GaugeMetricFamily(
            "slipgate_launchers_live", "Launchers that call.", value=gauges.launchers
        )
        yield GaugeMetricFamily(
            "slipgate_launcher_places", "Sandboxes they would make.", value=gauges.places
        )
        yield GaugeMetricFamily("slipgate_ledger_queue", "Commands that wait.", value=now.queue)
        yield GaugeMetricFamily(
            "slipgate_wal_bytes", "Length of the database's log.", value=now.wal_bytes
        )
        yield CounterMetricFamily(
            "slipgate_log_lines_dropped", "Log lines not written.", value=now.log_dropped
        )
        failed = CounterMetricFamily(
            "slipgate_loop_steps_failed", "Steps that failed.", labels=("loop",)
        )
        for name, count in now.failed_steps.items():
            failed.add_metric((name,), count)
        yield failed


def _gauges(name: str, what: str, label: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family


class _Commits(Collector):
    """The durations of the ledger's transactions."""

    def __init__(self) -> None:
        self.answers = _Answers()

    def collect(self) -> Iterator[Metric]:
        """One histogram."""
        yield HistogramMetricFamily(
            "slipgate_ledger_commit_seconds",
            "Time of a transaction of the ledger.",
            buckets=self.answers.buckets,
            sum_value=self.answers.seconds,
        )


class _Requests(Collector):
    """Plain numbers, turned into families when somebody asks: all is counted on one event loop, and
    a Counter and a Histogram of the library take three locks for each request."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, int], _Answers] = {}

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        key = (route, method, status)
        answers = self._answers.get(key)
        if answers is None:
            answers = self._answers[key] = _Answers()
        answers.count(seconds)

    def collect(self) -> Iterator[Metric]:
        """The families of this moment."""
        counts = CounterMetricFamily(
            "slipgate_http_requests", "Requests answered.", labels=("route", "method", "status")
        )
        times = HistogramMetricFamily(
            "slipgate_http_request_seconds",
            "Time from the request to its answer.",
            labels=("route", "method"),
        )
        of_route: dict[tuple[str, str], _Answers] = defaultdict(_Answers)
        for (route, method, status), answers in self._answers.items():
            counts.add_metric((route, method, str(status)), sum(answers.in_bucket))
            of_route[route, method].add(answers)
        for labels, answers in of_route.items():
            times.add_metric(labels, answers.buckets, answers.seconds)
        yield counts
        yield times


class _Answers:
    """A histogram of answers by duration."""

    __slots__ = ("in_bucket", "seconds")

    def __init__(self) -> None:
        self.in_bucket = [0] * len(_BOUNDS)
        self.seconds = 0.0

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Each bound with all that took no longer."""
        return list(zip(_BOUNDS, map(float, accumulate(self.in_bucket)), strict=True))

    def count(self, seconds: float) -> None:
        self.in_bucket[bisect_left(_BUCKETS, seconds)] += 1
        self.seconds += seconds

    def add(self, others: "_Answers") -> None:
        self.in_bucket = [*map(add, self.in_bucket, others.in_bucket)]
        self.seconds += others.seconds
