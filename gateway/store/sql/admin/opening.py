"""The upgrade and the restore that came before the first use of a database."""

from pathlib import Path

import structlog

from gateway.domain.tasks.task import Frozen

log = structlog.get_logger(__name__)


class Upgraded(Frozen, frozen=True, kw_only=True):
    """The upgrade of a database to this program's schema."""

    before: int
    applied: tuple[int, ...] = ()
    backup: Path | None = None
    """The file as it was; None for one that was empty, was left as it is, or is on a server."""


class Restored(Frozen, frozen=True, kw_only=True):
    """The instance ids of a restored backup."""

    before: str
    after: str


class Opening(Frozen, frozen=True, kw_only=True):
    """Both."""

    upgraded: Upgraded
    restored: Restored | None

    def log(self) -> None:
        """Says so in the gateway's log."""
        upgraded, restored = self.upgraded, self.restored
        if upgraded.applied and upgraded.before:
            log.info(
                "database.upgraded",
                before=upgraded.before,
                after=upgraded.applied[-1],
                backup=str(upgraded.backup or ""),
            )
        if restored is not None:
            log.warning("database.restored", instance=restored.after, before=restored.before)
