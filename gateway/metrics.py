"""Metrics in Prometheus' text form."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate
from operator import add
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from gateway.domain.task import Status

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BOUNDS: Final = (*map(str, _BUCKETS), "+Inf")


class Metrics:
    """What one gateway counts; nothing is global, so two of them can live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = _Requests()
        self._registry.register(self._requests)
        self._refused = Counter(
            "slipgate_webhooks_refused",
            "Webhooks that were not taken.",
            ("source", "code"),
            registry=self._registry,
        )
        self._tasks = Gauge(
            "slipgate_tasks", "Tasks by state.", ("status",), registry=self._registry
        )

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One answer; `route` is the handler, never the path, which anybody can invent."""
        self._requests.count(route, method, status, seconds)

    def count_refused_webhook(self, source: str, code: str) -> None:
        """A message that was not taken, and the code it was told."""
        self._refused.labels(source, code).inc()

    def render(self, tasks: Mapping[str, int]) -> bytes:
        """Everything, with the number of tasks in each state."""
        for status in Status:
            self._tasks.labels(status.value).set(tasks.get(status, 0))
        return generate_latest(self._registry)


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
        answers.in_bucket[bisect_left(_BUCKETS, seconds)] += 1
        answers.seconds += seconds

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
            buckets = list(zip(_BOUNDS, accumulate(answers.in_bucket), strict=True))
            times.add_metric(labels, buckets, answers.seconds)
        yield counts
        yield times


class _Answers:
    """How many answers took how long."""

    __slots__ = ("in_bucket", "seconds")

    def __init__(self) -> None:
        self.in_bucket = [0] * len(_BOUNDS)
        self.seconds = 0.0

    def add(self, others: "_Answers") -> None:
        self.in_bucket = [*map(add, self.in_bucket, others.in_bucket)]
        self.seconds += others.seconds
