"""Alerts: problems of the whole installation that operators are told once, and their end once."""

from typing import Literal

from gateway.domain.tasks.task import Frozen

AlertType = Literal["ops.launcher_lost", "ops.queue_old", "ops.disk_low", "ops.provider_down"]


class Alert(Frozen, frozen=True, kw_only=True):
    """The state of an alert, as stored."""

    id: str
    seq: int
    """The number of its newest event."""
    since: int | None
    """Begin of the problem (milliseconds); None: it is over."""


def alert_id(kind: AlertType) -> str:
    """The id under which its events are stored."""
    return kind.replace(".", "_", 1)
