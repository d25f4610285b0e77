"""The base class of commands, and the rows that the store loads for one inside the transaction."""

from typing import TYPE_CHECKING

from gateway.domain.launching.realm import RealmKey
from gateway.domain.operations.audit_log import GATEWAY
from gateway.domain.sources.workspace import WorkspaceKey
from gateway.domain.tasks.task import Frozen

if TYPE_CHECKING:
    from gateway.domain.kernel.commands import Claim, ReportEnded
    from gateway.domain.sources.message import AboutPullRequest, SandboxNotice

IdempotencyKey = tuple[str, str, str]
"""(project, method and path, key)."""
WebhookKey = tuple[str, int, str]
"""(task, attempt, webhook-id)."""
SandboxKey = tuple[str, str, str]
"""(provider, realm, name)."""


class ReadSet(Frozen, frozen=True, kw_only=True):
    """The rows a decision reads. Claims are selections; the rest are keys."""

    tasks: tuple[str, ...] = ()
    """Tasks, with their attempts and open jobs."""
    jobs: tuple[str, ...] = ()
    """Jobs by id, with their task as above."""
    reports: bool = False
    """True if the holder of these jobs reports on them: its last call is loaded too."""
    webhooks: tuple[WebhookKey, ...] = ()
    idempotency: "Idempotency | None" = None
    backlogs: tuple[str, ...] = ()
    """Endpoints, with the running jobs about their deliveries."""
    secrets_of: tuple[str, ...] = ()
    """Endpoints, with their live signing secrets."""
    replays: tuple[tuple[str, int], ...] = ()
    """Replays, with the number of deliveries of their next step."""
    deliveries: tuple[tuple[str, int], ...] = ()
    """Deliveries: endpoint, number of the event."""
    undelivered: tuple[str, ...] = ()
    """Tasks whose undelivered deliveries matter."""
    claim: "Claim | None" = None
    realm: RealmKey | None = None
    """A realm that may be missing or is live again, with the tasks that it concerns."""
    held_by: tuple[str, ...] = ()
    """Launchers, with the jobs that they hold."""
    exits: "ReportEnded | None" = None
    """Sandboxes that may be alive, with their tasks and realms, and the launcher that reports."""
    bulk_actions: tuple[str, ...] = ()
    """Bulk actions, with the tasks of their next page."""
    purges: tuple[str, ...] = ()
    """Tasks, with those of their events that may hold a text."""
    own_events: tuple[tuple[str, str], ...] = ()
    """Own events: project, the application's own id."""
    event_types: tuple[tuple[str, str], ...] = ()
    """Types of the catalogue: project, name."""
    portals: tuple[tuple[str, str], ...] = ()
    """Portals: project, customer."""
    lanes: tuple[str, ...] = ()
    """Lanes of own events that a new one is added to."""
    workspaces: tuple[WorkspaceKey, ...] = ()
    """Workspaces, with their tasks."""
    notice: "SandboxNotice | AboutPullRequest | None" = None
    """A message of a service: earlier copies of it, and the tasks it is about."""
    api_keys: bool = False
    """True: all API keys, and the projects that have a callback secret."""
    alerts: bool = False
    """True for the alerts, which are few."""
    pulse_at: int | None = None
    """The previous pulse; after a gap also every lease, and the tasks with a clock due by then."""


class Command(Frozen, frozen=True, kw_only=True):
    """A requested change; its rule reads only the rows that it `needs`."""

    actor: str = GATEWAY
    """The one who asks, as the audit log names it."""
    stated_reason: str | None = None
    """The reason that the one who asks has given; the audit log keeps it."""

    @property
    def needs(self) -> ReadSet:
        return ReadSet()


class Idempotency(Frozen, frozen=True, kw_only=True):
    """An `Idempotency-Key` and its request, as keyed hashes by master key id."""

    key: IdempotencyKey
    digests: dict[str, bytes]
    current: str
    """The id of the key whose digest is stored."""
