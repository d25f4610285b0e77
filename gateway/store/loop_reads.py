"""The reads of loops, each interface named by the loop that needs it, without a dialect."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from gateway.domain.deliveries.outbox import DeliveryKey
from gateway.domain.deliveries.replay import Replay
from gateway.domain.launching.realm import RealmKey
from gateway.domain.operations.bulk import BulkAction
from gateway.domain.operations.switches import Pause
from gateway.store.records import (
    DeliveryContext,
    DeliveryFailure,
    DueDeliveries,
    LiveSecret,
    PendingEndpoint,
    SecretOwner,
    Target,
)


class ReplayReads(Protocol):
    """Reads of the replayer."""

    async def running_replays(self) -> Sequence[Replay]:
        """The jobs that are not done."""

    async def pending_of(self, endpoint_id: str, most: int) -> int:
        """The number of pending deliveries of an endpoint, counted up to `most`."""


class SwitchReads(Protocol):
    """Switches."""

    async def pauses(self, now: int) -> Sequence[Pause]:
        """All pauses that last (milliseconds)."""


class OutboxReads(Protocol):
    """Reads of pending deliveries."""

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> Mapping[str, DueDeliveries]:
        """The deliveries that may be sent to each of these endpoints that is enabled."""

    async def pending_endpoints(self, after: str, limit: int) -> Sequence[PendingEndpoint]:
        """The next endpoints behind this one with pending deliveries, by their ids."""

    async def failures(self) -> Sequence[DeliveryFailure]:
        """The last failures of the endpoints without a success since, oldest first."""

    async def changed_at(self, endpoint_ids: Sequence[str]) -> Mapping[str, int]:
        """The moment (milliseconds) of the last change of each of these endpoints."""


class DelivererReads(OutboxReads, SwitchReads, Protocol):
    """Reads of the deliverer."""


class MessageReads(Protocol):
    """Reads of the message builder."""

    async def delivery_contexts(
        self, keys: Collection[DeliveryKey], now: int
    ) -> Mapping[DeliveryKey, DeliveryContext]:
        """The contexts of the deliveries that are still kept."""

    async def is_overtaken(self, endpoint_id: str, task_id: str, seq: int) -> bool:
        """True if a later event of the task has been sent to the endpoint."""

    async def target(self, endpoint_id: str) -> Target | None:
        """The address of an endpoint, and the headers that people gave it."""

    async def live_secrets(
        self, owners: Collection[SecretOwner], now: int
    ) -> Mapping[SecretOwner, Sequence[LiveSecret]]:
        """The secrets that sign the messages of each owner now; the newest first."""


class BulkReads(Protocol):
    """Bulk actions."""

    async def bulk_action(self, bulk_id: str) -> BulkAction | None:
        """A bulk action with its progress."""

    async def running_bulk_actions(self) -> Sequence[BulkAction]:
        """The actions that are not over, the oldest first."""

    async def bulk_actions_before(
        self, project: str | None, before: str, limit: int
    ) -> list[BulkAction]:
        """Actions with an id before this one, newest first; of all projects for None."""


class DueReads(Protocol):
    """Reads of the reconciler."""

    async def due_tasks(self, now: int, limit: int) -> Sequence[str]:
        """Tasks with a clock at or before now, the oldest first."""

    async def due_jobs(self, now: int, limit: int) -> Sequence[str]:
        """Held jobs with an expired lease."""

    async def due_realms(self, now: int, limit: int) -> Sequence[RealmKey]:
        """Realms that may be missing, or whose launchers call again."""

    async def next_due(self) -> int | None:
        """The earliest moment (milliseconds) at which one of them will have something."""


class RetentionReads(Protocol):
    """Reads of the pruner."""

    async def kept_env(self, after: str, limit: int) -> Sequence[tuple[str, int | None]]:
        """Tasks behind this id whose `env` is still kept, and when they ended (milliseconds)."""

    async def old_tasks(
        self, after: str, until: str, limit: int
    ) -> Sequence[tuple[str, int, int | None]]:
        """Tasks between two ids, with the number of their events, and when they ended."""

    async def own_events(self, after: int, limit: int) -> Sequence[tuple[int, int]]:
        """Own events behind a number, the oldest first, each with its time (milliseconds)."""

    async def has_idempotency_records(self, before: int) -> bool:
        """True if records of idempotency keys are kept from before that moment (milliseconds)."""

    async def has_old_groups(self, now: int) -> bool:
        """True if counts of ends are kept that are older than the pages that show them."""

    async def has_old_audit(self, before: int) -> bool:
        """True if the audit log begins before that moment (milliseconds)."""
