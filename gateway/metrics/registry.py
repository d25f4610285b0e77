"""The counters of a gateway, and the text of `/metrics`."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from gateway.metrics.histogram import Histogram
from gateway.metrics.outcomes import OutcomeMetrics
from gateway.metrics.stats import CurrentStats, GatewayStats

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REFUSED_CONNECTIONS: Final = (
    "request_timeout",
    "uri_too_long",
    "headers_too_large",
    "invalid_http",
    "answer_not_read",
    "no_room",
)
"""Why a connection was ended; the first four are codes of the answer."""


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
        self._commits = _Durations(
            "slipgate_ledger_commit_seconds", "Time of a transaction of the ledger."
        )
        self._lag = _Durations(
            "slipgate_event_loop_lag_seconds", "Time by which the event loop is late."
        )
        self.outcomes = OutcomeMetrics()
        for collector in (self._commits, self._lag, self.outcomes):
            self._registry.register(collector)

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
        self._commits.times.count(seconds)
        self.committed_at = self._monotonic()

    def count_lag(self, seconds: float) -> None:
        """One measurement of the event loop."""
        self._lag.times.count(seconds)

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
        now.register(CurrentStats(stats))
        return generate_latest(self._registry) + generate_latest(now)


class _Durations(Collector):
    """One histogram."""

    def __init__(self, name: str, what: str) -> None:
        self._name = name
        self._what = what
        self.times = Histogram()

    def collect(self) -> Iterator[Metric]:
        """The family of this moment."""
        yield HistogramMetricFamily(
            self._name, self._what, buckets=self.times.buckets, sum_value=self.times.seconds
        )


class _Requests(Collector):
    """Plain numbers, turned into families when somebody asks: all is counted on one event loop, and
    a Counter and a Histogram of the library take three locks for each request."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, int], Histogram] = {}

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        key = (route, method, status)
        answers = self._answers.get(key)
        if answers is None:
            answers = self._answers[key] = Histogram()
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
        of_route: dict[tuple[str, str], Histogram] = defaultdict(Histogram)
        for (route, method, status), answers in self._answers.items():
            counts.add_metric((route, method, str(status)), sum(answers.in_bucket))
            of_route[route, method].add(answers)
        for labels, answers in of_route.items():
            times.add_metric(labels, answers.buckets, answers.seconds)
        yield counts
        yield times
