"""Loading: the rows that a batch needs, as the union of its commands' read sets."""

from collections.abc import Iterable
from typing import Self

from gateway.domain.deliveries.event_type import EventTypeKey
from gateway.domain.deliveries.outbox import DeliveryKey
from gateway.domain.deliveries.own_event import EventKey
from gateway.domain.deliveries.portal import CustomerKey
from gateway.domain.kernel.commands import Claim, ReportEnded
from gateway.domain.kernel.read_set import IdempotencyKey, ReadSet, WebhookKey
from gateway.domain.launching.realm import RealmKey
from gateway.domain.sources.message import AboutPullRequest, SandboxNotice
from gateway.domain.sources.workspace import WorkspaceKey
from gateway.domain.tasks.task import Frozen


class BatchReadSet(Frozen, frozen=True, kw_only=True):
    """The union of read sets: keys to load, and selections."""

    tasks: frozenset[str]
    jobs: frozenset[str]
    reports: bool
    webhooks: tuple[WebhookKey, ...]
    idempotency: tuple[IdempotencyKey, ...]
    backlogs: tuple[str, ...]
    secrets_of: frozenset[str]
    replays: dict[str, int]
    deliveries: tuple[DeliveryKey, ...]
    undelivered: tuple[str, ...]
    claims: tuple[Claim, ...]
    realms: frozenset[RealmKey]
    held_by: tuple[str, ...]
    exits: tuple[ReportEnded, ...]
    bulk_actions: tuple[str, ...]
    purges: tuple[str, ...]
    own_events: frozenset[EventKey]
    event_types: frozenset[EventTypeKey]
    portals: frozenset[CustomerKey]
    lanes: frozenset[str]
    workspaces: tuple[WorkspaceKey, ...]
    notices: tuple[SandboxNotice | AboutPullRequest, ...]
    api_keys: bool
    alerts: bool
    pulse_at: int | None

    @classmethod
    def of(cls, needs: Iterable[ReadSet]) -> Self:
        """The union, in the order of arrival."""
        needs = tuple(needs)
        return cls(
            tasks=frozenset(key for need in needs for key in need.tasks),
            jobs=frozenset(key for need in needs for key in need.jobs),
            reports=any(need.reports for need in needs),
            webhooks=tuple(key for need in needs for key in need.webhooks),
            idempotency=tuple(need.idempotency.key for need in needs if need.idempotency),
            backlogs=tuple(key for need in needs for key in need.backlogs),
            secrets_of=frozenset(key for need in needs for key in need.secrets_of),
            replays=dict(pair for need in needs for pair in need.replays),
            deliveries=tuple(key for need in needs for key in need.deliveries),
            undelivered=tuple(key for need in needs for key in need.undelivered),
            claims=tuple(need.claim for need in needs if need.claim is not None),
            realms=frozenset(need.realm for need in needs if need.realm is not None),
            held_by=tuple(key for need in needs for key in need.held_by),
            exits=tuple(need.exits for need in needs if need.exits is not None),
            bulk_actions=tuple(key for need in needs for key in need.bulk_actions),
            purges=tuple(key for need in needs for key in need.purges),
            own_events=frozenset(key for need in needs for key in need.own_events),
            event_types=frozenset(key for need in needs for key in need.event_types),
            portals=frozenset(key for need in needs for key in need.portals),
            lanes=frozenset(key for need in needs for key in need.lanes),
            workspaces=tuple(key for need in needs for key in need.workspaces),
            notices=tuple(need.notice for need in needs if need.notice is not None),
            api_keys=any(need.api_keys for need in needs),
            alerts=any(need.alerts for need in needs),
            pulse_at=max((need.pulse_at for need in needs if need.pulse_at), default=None),
        )
