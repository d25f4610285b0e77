"""Commands about endpoints and what they are owed; `project` None is ops, who may touch all."""

from typing import Literal

from msgspec import UNSET, UnsetType

from gateway.domain.deliveries.endpoint import Endpoint, Patterns, SigningSecret
from gateway.domain.deliveries.outbox import Address
from gateway.domain.deliveries.replay import AT_ONCE, Replay
from gateway.domain.kernel.read_set import Idempotency, IdempotencyKey, ReadSet
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.tasks.task import Frozen


def _keys(idempotency: Idempotency | None) -> tuple[IdempotencyKey, ...]:
    return (idempotency.key,) if idempotency else ()


class CreateEndpoint(Frozen, frozen=True, kw_only=True):
    """`POST /v1/endpoints`."""

    endpoint: Endpoint
    address: Address
    secret: SigningSecret
    sealed: Sealed
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        """The answer of an earlier request with the same key."""
        return ReadSet(idempotency=_keys(self.idempotency))


class EndpointChanges(Frozen, frozen=True, kw_only=True):
    """What changes; UNSET stays as it is."""

    origin: str | UnsetType = UNSET
    shown_url: str | UnsetType = UNSET
    header_names: tuple[str, ...] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    event_types: Patterns | UnsetType | None = UNSET
    rate_per_second: float | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType = UNSET


class UpdateEndpoint(Frozen, frozen=True, kw_only=True):
    """`PATCH /v1/endpoints/{id}`."""

    endpoint_id: str
    changes: EndpointChanges
    address: Address | None = None

    @property
    def needs(self) -> ReadSet:
        """Nothing: all endpoints are known."""
        return ReadSet()


class DeleteEndpoint(Frozen, frozen=True, kw_only=True):
    """`DELETE /v1/endpoints/{id}`."""

    endpoint_id: str

    @property
    def needs(self) -> ReadSet:
        """The jobs that are not done with it."""
        return ReadSet(backlogs=(self.endpoint_id,))


class EnableEndpoint(Frozen, frozen=True, kw_only=True):
    """`POST …/enable`."""

    endpoint_id: str
    backlog: Literal["deliver", "dead"] = "deliver"

    @property
    def needs(self) -> ReadSet:
        """The jobs that are not done with it."""
        return ReadSet(backlogs=(self.endpoint_id,))


class DisableEndpoint(Frozen, frozen=True, kw_only=True):
    """`POST …/disable`, or the deliverer gives it up."""

    endpoint_id: str
    reason: str

    @property
    def needs(self) -> ReadSet:
        """The jobs that are not done with it."""
        return ReadSet(backlogs=(self.endpoint_id,))


class RotateSecret(Frozen, frozen=True, kw_only=True):
    """`POST …/rotate-secret`: the older ones stay good for a while (milliseconds)."""

    endpoint_id: str
    secret: SigningSecret
    sealed: Sealed
    overlap: int
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        """Its live secrets."""
        return ReadSet(secrets_of=(self.endpoint_id,), idempotency=_keys(self.idempotency))


class StartReplay(Frozen, frozen=True, kw_only=True):
    """`POST …/replay`."""

    replay: Replay
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        """The answer of an earlier request with the same key."""
        return ReadSet(idempotency=_keys(self.idempotency))


class AdvanceReplay(Frozen, frozen=True, kw_only=True):
    """The next step of a job, with so many deliveries at most."""

    replay_id: str
    limit: int = AT_ONCE

    @property
    def needs(self) -> ReadSet:
        """The job, and the deliveries it turns next."""
        return ReadSet(replays=((self.replay_id, self.limit),))


class RetryDelivery(Frozen, frozen=True, kw_only=True):
    """`POST /v1/deliveries/{id}/retry`."""

    endpoint_id: str
    seq: int

    @property
    def needs(self) -> ReadSet:
        """How it stands."""
        return ReadSet(deliveries=((self.endpoint_id, self.seq),))


class EndpointReply(Frozen, frozen=True, kw_only=True):
    """The endpoint as it stands after the command."""

    endpoint: Endpoint
    secret_id: str | None = None
    """The secret that is shown with this answer."""
    replayed: bool = False


class ReplayReply(Frozen, frozen=True, kw_only=True):
    """The job as it stands after the command."""

    replay: Replay
    replayed: bool = False
