"""What a command needs to know: the store loads the union for a batch inside the transaction."""

from typing import TYPE_CHECKING

from gateway.domain.launching.realm import RealmKey
from gateway.domain.sources.workspace import WorkspaceKey
from gateway.domain.tasks.task import Frozen

if TYPE_CHECKING:
    from gateway.domain.kernel.commands import Claim
    from gateway.domain.sources.message import PullRequestNotice, SandboxNotice

IdempotencyKey = tuple[str, str, str]
"""(project, method and path, key)."""
WebhookKey = tuple[str, int, str]
"""(task, attempt, webhook-id)."""
SandboxKey = tuple[str, str, str]
"""(provider, realm, name)."""


class ReadSet(Frozen, frozen=True, kw_only=True):
    """What a decision looks at. Claims are selections; the rest are keys."""

    tasks: tuple[str, ...] = ()
    """Tasks, with the attempts and open jobs that belong to them."""
    jobs: tuple[str, ...] = ()
    """Jobs by id, with their task as above."""
    reports: bool = False
    """Whoever holds these jobs speaks: what it claimed them with counts."""
    webhooks: tuple[WebhookKey, ...] = ()
    idempotency: tuple[IdempotencyKey, ...] = ()
    backlogs: tuple[str, ...] = ()
    """Endpoints, with the jobs that are not done with their deliveries."""
    secrets_of: tuple[str, ...] = ()
    """Endpoints, with the secrets they are signed with now."""
    replays: tuple[tuple[str, int], ...] = ()
    """Jobs, with so many of the deliveries that they turn next."""
    deliveries: tuple[tuple[str, int], ...] = ()
    """Deliveries: endpoint, number of the event."""
    owing: tuple[str, ...] = ()
    """Tasks of which it matters whether deliveries are still to be made."""
    claim: "Claim | None" = None
    realm: RealmKey | None = None
    """One that may be missing, or is heard again, with the tasks that have to be told."""
    sandboxes: tuple[SandboxKey, ...] = ()
    """Sandboxes that may be alive, with the tasks they belong to."""
    workspaces: tuple[WorkspaceKey, ...] = ()
    """Workspaces, with the tasks that stand for them."""
    notice: "SandboxNotice | PullRequestNotice | None" = None
    """Whether this message came before, and the tasks it is about."""
    pulse_at: int | None = None
    """The pulse before; after a gap also every lease, and the tasks with a clock due by then."""


class Idempotency(Frozen, frozen=True, kw_only=True):
    """An `Idempotency-Key` and what was asked with it, as keyed hashes by master key id."""

    key: IdempotencyKey
    digests: dict[str, bytes]
    current: str
    """The id of the key whose digest is stored."""
