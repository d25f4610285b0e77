"""Metrics in Prometheus' text form."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Metric, generate_latest
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
        self._tasks = Gauge(
            "slipgate_tasks", "Tasks by state.", ("status",), registry=self._registry
        )

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One answer; `route` is the handler, never the path, which anybody can invent."""
        self._requests.count(route, method, status, seconds)

    def render(self, tasks: Mapping[str, int]) -> bytes:
        """Everything, with the number of tasks in each state."""
        for status in Status:
            self._tasks.labels(status.value).set(tasks.get(status, 0))
        return generate_latest(self._registry)


class _Requests(Collector):
    """Plain numbers, turned into families when somebody asks: all is counted on one event loop, and
    a Counter and a Histogram of the library take three locks for each request."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, str, int]] = Counter()
        self._in_bucket: Counter[tuple[str, str, int]] = Counter()
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        self._answers[route, method, status] += 1
        self._in_bucket[route, method, bisect_left(_BUCKETS, seconds)] += 1
        self._seconds[route, method] += seconds

    def collect(self) -> Iterator[Metric]:
        """The families of this moment."""
        answers = CounterMetricFamily(
            "slipgate_http_requests", "Requests answered.", labels=("route", "method", "status")
        )
        for (route, method, status), count in self._answers.items():
            answers.add_metric((route, method, str(status)), count)
        yield answers
        times = HistogramMetricFamily(
            "slipgate_http_request_seconds",
            "Time from the request to its answer.",
            labels=("route", "method"),
        )
        for (route, method), seconds in self._seconds.items():
            counts = [self._in_bucket[route, method, index] for index in range(len(_BOUNDS))]
            buckets = list(zip(_BOUNDS, accumulate(counts), strict=True))
            times.add_metric((route, method), buckets, seconds)
        yield times
