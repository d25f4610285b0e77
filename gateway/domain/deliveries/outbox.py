"""The outbox in a unit of work: endpoints and their deliveries, as loaded and as changed."""

from dataclasses import dataclass, field

from msgspec import UNSET, UnsetType

from gateway.domain.deliveries.delivery import DeliveryState
from gateway.domain.deliveries.endpoint import Directory, Endpoint, SigningSecret, Subscription
from gateway.domain.deliveries.replay import DeliveryUpdate, Replay
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.tasks.task import Frozen

DeliveryKey = tuple[str, int]
"""(endpoint, number of the event)."""


class Address(Frozen, frozen=True, kw_only=True):
    """The changed secret parts of an endpoint; UNSET stays as it is."""

    endpoint_id: str
    url: Sealed | UnsetType = UNSET
    headers: Sealed | UnsetType | None = UNSET


class CallbackTurn(Frozen, frozen=True, kw_only=True):
    """A new time for the undelivered final callbacks of a flat task."""

    endpoint_id: str
    task_id: str
    at: int | None
    """Their new time, if it is earlier (milliseconds); None: never, because the task continues."""


@dataclass(kw_only=True)
class Outbox:
    """Loaded values by key, and the changes to write."""

    directory: Directory = field(default_factory=Directory)
    is_read_anew: bool = False
    """True if another gateway may have changed endpoints, their addresses and their secrets since
    the last unit of work."""
    secrets: dict[str, tuple[SigningSecret, ...]] = field(default_factory=dict)
    """Live secrets by endpoint."""
    replays: dict[str, Replay] = field(default_factory=dict)
    pages: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """By replay, the events of its next deliveries."""
    delivery_states: dict[DeliveryKey, DeliveryState] = field(default_factory=dict)

    changed_endpoints: dict[str, Endpoint] = field(default_factory=dict)
    deleted_endpoints: dict[str, int] = field(default_factory=dict)
    addresses: list[Address] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    new_secrets: list[tuple[SigningSecret, Sealed]] = field(default_factory=list)
    expiring: list[SigningSecret] = field(default_factory=list)
    changed_replays: dict[str, Replay] = field(default_factory=dict)
    delivery_updates: list[DeliveryUpdate] = field(default_factory=list)
    callbacks: list[CallbackTurn] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.directory = self.directory.draft()

    @property
    def is_changed(self) -> bool:
        return bool(
            self.changed_endpoints
            or self.deleted_endpoints
            or self.addresses
            or self.subscriptions
            or self.new_secrets
            or self.expiring
            or self.changed_replays
            or self.delivery_updates
            or self.callbacks
        )

    @property
    def is_directory_changed(self) -> bool:
        """True if an endpoint is another one now."""
        return bool(self.changed_endpoints or self.is_signing_changed)

    @property
    def is_signing_changed(self) -> bool:
        """True if an address, or a secret that signs, is another one now."""
        return bool(self.addresses or self.new_secrets or self.expiring or self.deleted_endpoints)

    def put_endpoint(self, endpoint: Endpoint) -> None:
        self.directory.put(endpoint)
        self.changed_endpoints[endpoint.id] = endpoint

    def subscribe(self, endpoint: Endpoint, after_seq: int) -> None:
        """Subscribes it to the events after this number."""
        self.subscriptions.append(
            Subscription(
                endpoint_id=endpoint.id, after_seq=after_seq, event_types=endpoint.event_types
            )
        )

    def delete_endpoint(self, endpoint: Endpoint, after_seq: int, now: int) -> None:
        """Deletes it: it gets no event after this number."""
        self.directory.remove(endpoint)
        self.deleted_endpoints[endpoint.id] = now
        self.subscriptions.append(
            Subscription(endpoint_id=endpoint.id, after_seq=after_seq, event_types=())
        )

    def put_replay(self, replay: Replay) -> None:
        self.replays[replay.id] = replay
        self.changed_replays[replay.id] = replay

    def running(self, endpoint_id: str) -> list[Replay]:
        return [
            replay
            for replay in self.replays.values()
            if replay.endpoint_id == endpoint_id and replay.status == "running"
        ]
