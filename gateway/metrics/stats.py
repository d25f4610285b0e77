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


class CurrentStats(Collector):
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
        yield GaugeMetricFamily(
            "slipgate_deliveries_oldest_due_seconds",
            "How long one is due.",
            value=_age(due, now.at),
        )
        yield GaugeMetricFamily(
            "slipgate_queue_oldest_seconds",
            "How long a task waits that could be launched.",
            value=_age(gauges.oldest_claimable_at, now.at),
        )
        yield _gauges(
            "slipgate_endpoints", "Endpoints that take nothing.", "state", gauges.endpoints
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
        yield GaugeMetricFamily(
            "slipgate_disk_free_bytes", "Free space for the database.", value=now.disk.free
        )
        yield GaugeMetricFamily(
            "slipgate_disk_min_free_bytes", "The disk is low below it.", value=now.min_free_bytes
        )
        age = math.inf if now.commit_age is None else now.commit_age
        yield GaugeMetricFamily(
            "slipgate_ledger_commit_age_seconds", "Time since a commit.", value=age
        )
        yield _gauges("slipgate_loop_idle_seconds", "Time since a step.", "loop", now.idle_seconds)
        yield InfoMetricFamily(
            "slipgate_build",
            "Versions.",
            value={"version": version("slipgate"), "python": python_version()},
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


def _age(since: int | None, now: int) -> float:
    return 0.0 if since is None else max(0, now - since) / 1000


def _gauges(name: str, what: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family
