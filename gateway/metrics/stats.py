"""The state of the gateway at one moment, as gauges."""

import math
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from platform import python_version

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from gateway.domain.operations.gauges import DiskSpace, Gauges
from gateway.domain.tasks.task import FLAG_ORDER, Frozen, Status


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
    idle_seconds: Mapping[str, float]
    """By loop, since the end of its last step."""
    commit_age: float | None
    """Seconds since the last transaction; None before the first."""
    wal_bytes: int
    """The length of the database's log."""
    disk: DiskSpace
    """Of the database."""
    min_free_bytes: int
    """Below it the disk is low."""
    is_read_only: bool = False
    """True while nothing can be written."""


class CurrentStats(Collector):
    """Gauges: read when they are asked for."""

    def __init__(self, stats: GatewayStats) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Gauges of this moment; what could be there and is not, is 0."""
        yield from self._labelled()
        for name, what, value in self._plain():
            yield GaugeMetricFamily(name, what, value=value)
        yield InfoMetricFamily(
            "slipgate_build",
            "Versions.",
            value={"version": version("slipgate"), "python": python_version()},
        )
        dropped = self._stats.log_dropped
        yield CounterMetricFamily(
            "slipgate_log_lines_dropped", "Log lines not written.", value=dropped
        )
        failed = CounterMetricFamily(
            "slipgate_loop_steps_failed", "Steps that failed.", labels=("loop",)
        )
        for name, count in self._stats.failed_steps.items():
            failed.add_metric((name,), count)
        yield failed

    def _labelled(self) -> Iterator[Metric]:
        gauges = self._stats.gauges
        tasks = {status.value: gauges.tasks.get(status, 0) for status in Status}
        flags = {code: gauges.flags.get(code, 0) for code in FLAG_ORDER}
        for name, what, label, values in (
            ("slipgate_tasks", "Tasks by state.", "status", tasks),
            ("slipgate_flags", "Tasks that have a flag.", "code", flags),
            ("slipgate_deliveries", "Deliveries not arrived.", "status", gauges.deliveries),
            ("slipgate_providers_paused", "Pauses of launching.", "provider", gauges.providers),
            ("slipgate_endpoints", "Endpoints that take nothing.", "state", gauges.endpoints),
            (
                "slipgate_loop_idle_seconds",
                "Time since a step.",
                "loop",
                self._stats.idle_seconds,
            ),
        ):
            family = GaugeMetricFamily(name, what, labels=(label,))
            for value, count in values.items():
                family.add_metric((value,), count)
            yield family

    def _plain(self) -> Iterator[tuple[str, str, float]]:
        now, gauges = self._stats, self._stats.gauges
        commit_age = math.inf if now.commit_age is None else now.commit_age
        due, claimable = gauges.oldest_due_at, gauges.oldest_claimable_at
        yield "slipgate_deliveries_oldest_due_seconds", "How long one is due.", _age(due, now.at)
        yield "slipgate_queue_oldest_seconds", "How long a task waits.", _age(claimable, now.at)
        yield "slipgate_launchers_live", "Launchers that call.", gauges.launchers
        yield "slipgate_launcher_places", "Sandboxes they would make.", gauges.places
        yield "slipgate_ledger_queue", "Commands that wait.", now.queue
        yield "slipgate_ledger_commit_age_seconds", "Time since a commit.", commit_age
        yield "slipgate_wal_bytes", "Length of the database's log.", now.wal_bytes
        yield "slipgate_disk_free_bytes", "Free space for the database.", now.disk.free
        yield "slipgate_read_only", "1 while nothing can be written.", now.is_read_only
        yield "slipgate_disk_min_free_bytes", "The disk is low below it.", now.min_free_bytes


def _age(since: int | None, now: int) -> float:
    return 0.0 if since is None else max(0, now - since) / 1000
