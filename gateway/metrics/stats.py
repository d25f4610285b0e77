"""The state of the gateway at one moment, as gauges."""

import math
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from platform import python_version

from gateway.domain.operations.gauges import DiskSpace, Gauges
from gateway.domain.tasks.task import FLAG_ORDER, Frozen, Status
from gateway.metrics.family import Family, Kind, Labels, Numbers


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
    """The length of the database's log; 0 where it is not a file beside the gateway."""
    disk: DiskSpace | None
    """Of the database; None where it is not the gateway's."""
    min_free_bytes: int
    """Below it the disk is low."""
    is_read_only: bool = False
    """True while nothing can be written."""
    gateways: int
    """Gateways of the database; 0 while this one has no session."""
    is_leader: bool
    partitions: int
    """Groups of endpoints that are served here."""


def families(stats: GatewayStats) -> Iterator[Family]:
    """Gauges of this moment; what could be there and is not, is 0."""
    yield from _labelled(stats)
    for name, what, value in _plain(stats):
        yield Numbers(kind="gauge", name=name, what=what, values={(): value})
    yield Numbers(
        kind="info",
        name="slipgate_build",
        what="Versions.",
        labels=("version", "python"),
        values={(version("slipgate"), python_version()): 1},
    )
    yield Numbers(
        kind="counter",
        name="slipgate_log_lines_dropped",
        what="Log lines not written.",
        values={(): stats.log_dropped},
    )
    steps = stats.failed_steps
    yield _by_label(
        "counter", "slipgate_loop_steps_failed", "Steps that failed.", label="loop", values=steps
    )


def _labelled(stats: GatewayStats) -> Iterator[Family]:
    gauges = stats.gauges
    tasks = {status.value: gauges.tasks.get(status, 0) for status in Status}
    flags = {code: gauges.flags.get(code, 0) for code in FLAG_ORDER}
    for name, what, label, values in (
        ("slipgate_tasks", "Tasks by state.", "status", tasks),
        ("slipgate_flags", "Tasks that have a flag.", "code", flags),
        ("slipgate_deliveries", "Deliveries not arrived.", "status", gauges.deliveries),
        ("slipgate_providers_paused", "Pauses of launching.", "provider", gauges.providers),
        ("slipgate_endpoints", "Endpoints that take nothing.", "state", gauges.endpoints),
        ("slipgate_loop_idle_seconds", "Time since a step.", "loop", stats.idle_seconds),
    ):
        yield _by_label("gauge", name, what, label=label, values=values)


def _by_label(
    kind: Kind, name: str, what: str, *, label: str, values: Mapping[str, float]
) -> Family:
    by_labels: dict[Labels, float] = {(value,): count for value, count in values.items()}
    return Numbers(kind=kind, name=name, what=what, labels=(label,), values=by_labels)


def _plain(now: GatewayStats) -> Iterator[tuple[str, str, float]]:
    gauges = now.gauges
    commit_age = math.inf if now.commit_age is None else now.commit_age
    due, claimable = gauges.oldest_due_at, gauges.oldest_claimable_at
    yield "slipgate_deliveries_oldest_due_seconds", "How long one is due.", _age(due, now.at)
    yield "slipgate_queue_oldest_seconds", "How long a task waits.", _age(claimable, now.at)
    yield "slipgate_launchers_live", "Launchers that call.", gauges.launchers
    yield "slipgate_launcher_places", "Sandboxes they would make.", gauges.places
    yield "slipgate_ledger_queue", "Commands that wait.", now.queue
    yield "slipgate_ledger_commit_age_seconds", "Time since a commit.", commit_age
    yield "slipgate_wal_bytes", "Length of the database's log.", now.wal_bytes
    yield "slipgate_read_only", "1 while nothing can be written.", now.is_read_only
    yield "slipgate_gateways", "Gateways of the database; 0: it has no session.", now.gateways
    yield "slipgate_leader", "1 where the loops for all gateways run.", now.is_leader
    yield "slipgate_endpoint_partitions", "Groups of endpoints served here.", now.partitions
    if now.disk is not None:
        yield "slipgate_disk_free_bytes", "Free space for the database.", now.disk.free
        yield "slipgate_disk_min_free_bytes", "The disk is low below it.", now.min_free_bytes


def _age(since: int | None, now: int) -> float:
    return 0.0 if since is None else max(0, now - since) / 1000
