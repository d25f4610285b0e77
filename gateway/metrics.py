"""Metrics in Prometheus' text form."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway.domain.task import Status

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """What one gateway counts; nothing is global, so two of them can live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "slipgate_http_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "slipgate_http_request_seconds",
            "Time from the request to its answer.",
            ("route", "method"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._tasks = Gauge(
            "slipgate_tasks", "Tasks by state.", ("status",), registry=self._registry
        )
        # Looking a child up takes a lock and builds its key anew, several times per request.
        self._children = cache(self._labelled)

    def count_request(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """One answer; `route` is the pattern, never the path, which anybody can invent."""
        answers, times = self._children(route, method, status)
        answers.inc()
        times.observe(seconds)

    def _labelled(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        return (
            self._requests.labels(route, method, str(status)),
            self._seconds.labels(route, method),
        )

    def render(self, tasks: Mapping[str, int]) -> bytes:
        """Everything, with the number of tasks in each state."""
        for status in Status:
            self._tasks.labels(status.value).set(tasks.get(status, 0))
        return generate_latest(self._registry)
