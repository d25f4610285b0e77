"""Commands about endpoints, their deliveries and their replays."""

from typing import Literal, Self

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from gateway.domain.deliveries.endpoint import Endpoint, Patterns, SigningSecret
from gateway.domain.deliveries.outbox import Address
from gateway.domain.deliveries.own_event import OwnEvent
from gateway.domain.deliveries.replay import AT_ONCE, Replay
from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.read_set import Command, Idempotency, ReadSet
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.tasks.task import Frozen


class CreateEndpoint(Command, frozen=True, kw_only=True):
    """`POST /v1/endpoints`."""

    endpoint: Endpoint
    address: Address
    secret: SigningSecret
    sealed: Sealed
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        return ReadSet(idempotency=self.idempotency)


class EndpointChanges(Frozen, frozen=True, kw_only=True):
    """The changed fields; UNSET stays as it is."""

    origin: str | UnsetType = UNSET
    shown_url: str | UnsetType = UNSET
    header_names: tuple[str, ...] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    event_types: Patterns | UnsetType | None = UNSET
    rate_per_second: float | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType = UNSET


class UpdateEndpoint(Command, frozen=True, kw_only=True):
    """`PATCH /v1/endpoints/{id}`."""

    endpoint_id: str
    changes: EndpointChanges
    address: Address | None = None


class BacklogCommand(Command, frozen=True, kw_only=True):
    """A command that decides on the undelivered deliveries of an endpoint."""

    endpoint_id: str

    @property
    def needs(self) -> ReadSet:
        return ReadSet(backlogs=(self.endpoint_id,))


class DeleteEndpoint(BacklogCommand, frozen=True, kw_only=True):
    """`DELETE /v1/endpoints/{id}`."""


class EnableEndpoint(BacklogCommand, frozen=True, kw_only=True):
    """`POST …/enable`."""

    backlog: Literal["deliver", "dead"] = "deliver"


class DisableEndpoint(BacklogCommand, frozen=True, kw_only=True):
    """`POST …/disable`, or the deliverer gives the endpoint up."""

    reason: str


class RotateSecret(Command, frozen=True, kw_only=True):
    """`POST …/rotate-secret`: the older secrets stay valid for `overlap` milliseconds."""

    endpoint_id: str
    secret: SigningSecret
    sealed: Sealed
    overlap: int
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        return ReadSet(secrets_of=(self.endpoint_id,), idempotency=self.idempotency)


class StartReplay(Command, frozen=True, kw_only=True):
    """`POST …/replay`."""

    replay: Replay
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        return ReadSet(idempotency=self.idempotency)


class AdvanceReplay(Command, frozen=True, kw_only=True):
    """The next step of a replay, with at most `limit` deliveries."""

    replay_id: str
    limit: int = AT_ONCE

    @property
    def needs(self) -> ReadSet:
        return ReadSet(replays=((self.replay_id, self.limit),))


class RetryDelivery(Command, frozen=True, kw_only=True):
    """`POST /v1/deliveries/{id}/retry`."""

    endpoint_id: str
    seq: int

    @property
    def needs(self) -> ReadSet:
        return ReadSet(deliveries=((self.endpoint_id, self.seq),))


class PostEvent(Command, frozen=True, kw_only=True):
    """`POST /v1/events`."""

    project: str
    lane: str
    """The id of its ordering key, or one of its own."""
    is_ordered: bool
    """True if others of its lane may be there."""
    type: str
    data: bytes
    """The JSON as it was given."""
    digest: bytes
    """Of everything that was given."""
    customer: str | None = None
    event_id: str | None = None
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        return ReadSet(
            idempotency=self.idempotency,
            own_events=((self.project, self.event_id),) if self.event_id else (),
            lanes=(self.lane,) if self.is_ordered else (),
        )


class PostEvents(Command, frozen=True, kw_only=True):
    """`POST /v1/events/batch`: all of them, or none."""

    events: tuple[PostEvent, ...]
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        needs = [event.needs for event in self.events]
        return ReadSet(
            idempotency=self.idempotency,
            own_events=tuple(key for need in needs for key in need.own_events),
            lanes=tuple(lane for need in needs for lane in need.lanes),
        )


class PostReply(Answer, frozen=True, kw_only=True):
    """An own event as it was stored; `at` in milliseconds."""

    own: OwnEvent
    type: str
    at: int
    known: bool = False
    """True if it was stored before, under the same id of the application."""
    replayed: bool = False

    def numbered(self, seq: int) -> Self:
        """The answer with the number of its event."""
        if self.own.seq:
            return self
        return replace(self, own=replace(self.own, seq=seq + self.own.offset))


class PostAllReply(Answer, frozen=True, kw_only=True):
    """Own events as they were stored together."""

    posted: tuple[PostReply, ...]
    replayed: bool = False

    def numbered(self, seq: int) -> Self:
        """The answer with the numbers of its events."""
        return replace(self, posted=tuple(each.numbered(seq) for each in self.posted))


class EndpointReply(Answer, frozen=True, kw_only=True):
    """The endpoint after the command."""

    endpoint: Endpoint
    secret_id: str | None = None
    """The secret that is shown with this answer."""
    replayed: bool = False


class ReplayReply(Answer, frozen=True, kw_only=True):
    """The replay after the command."""

    replay: Replay
    replayed: bool = False
