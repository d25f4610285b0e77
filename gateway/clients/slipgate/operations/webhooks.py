"""Webhooks out: endpoints, deliveries, replays."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from msgspec import UNSET, UnsetType

from slipgate.declaration import listing, operation
from slipgate.types import (
    DeletedEndpoint,
    Delivery,
    DeliveryAttempt,
    Endpoint,
    EndpointSecret,
    NewEndpoint,
    Page,
    Replay,
)

_ENDPOINT: Final = "/v1/endpoints/{endpoint_id}"


class Webhooks:
    """Calls about webhooks that slipgate sends; they need a key of scope `ops`."""

    @operation("POST", "/v1/endpoints")
    def create_endpoint(
        self,
        *,
        url: str,
        project: str | None = None,
        event_types: Sequence[str] | None = None,
        format: Literal["standard", "slack"] | None = None,
        customer: str | None = None,
        description: str | None = None,
        secret: str | None = None,
        headers: Mapping[str, str] | None = None,
        rate_per_second: float | None = None,
        metadata: Mapping[str, str] | None = None,
        reason: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> NewEndpoint:
        """A new endpoint with its `secret`, which is shown this once."""

    @listing("/v1/endpoints")
    def endpoints(
        self,
        *,
        project: str | None = None,
        customer: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Endpoint]:
        """Endpoints, newest first."""

    @operation("GET", _ENDPOINT)
    def get_endpoint(self, endpoint_id: str) -> Endpoint:
        """An endpoint, without its secrets."""

    @operation("PATCH", _ENDPOINT)
    def update_endpoint(
        self,
        endpoint_id: str,
        *,
        url: str | UnsetType = UNSET,
        event_types: Sequence[str] | UnsetType | None = UNSET,
        description: str | UnsetType | None = UNSET,
        headers: Mapping[str, str] | UnsetType = UNSET,
        rate_per_second: float | UnsetType | None = UNSET,
        metadata: Mapping[str, str] | UnsetType = UNSET,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> Endpoint:
        """Changes the fields that are given; None empties one."""

    @operation("DELETE", _ENDPOINT)
    def delete_endpoint(
        self, endpoint_id: str, *, reason: str | None = None, dry_run: bool = False
    ) -> DeletedEndpoint:
        """Deletes an endpoint and drops what it was to get."""

    @operation("POST", f"{_ENDPOINT}/enable")
    def enable_endpoint(
        self,
        endpoint_id: str,
        *,
        backlog: Literal["deliver", "dead"] | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> Endpoint:
        """Lets an endpoint get events again; `backlog` is the fate of those that were held."""

    @operation("POST", f"{_ENDPOINT}/disable")
    def disable_endpoint(
        self, endpoint_id: str, *, reason: str | None = None, dry_run: bool = False
    ) -> Endpoint:
        """Holds the events of an endpoint."""

    @operation("POST", f"{_ENDPOINT}/rotate-secret")
    def rotate_endpoint_secret(
        self,
        endpoint_id: str,
        *,
        overlap_seconds: int | None = None,
        reason: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> EndpointSecret:
        """A new secret; the older ones sign too for a day, or for `overlap_seconds`."""

    @operation("POST", f"{_ENDPOINT}/test")
    def test_endpoint(self, endpoint_id: str) -> DeliveryAttempt:
        """Sends a signed test, and shows how it was answered."""

    @operation("POST", f"{_ENDPOINT}/replay")
    def replay_deliveries(
        self,
        endpoint_id: str,
        *,
        since: datetime | str,
        until: datetime | str | None = None,
        only_failed: bool = False,
        reason: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Replay:
        """Sends the deliveries of a period again, with the same bodies."""

    @operation("GET", "/v1/replays/{replay_id}")
    def get_replay(self, replay_id: str) -> Replay:
        """A replay and its progress."""

    @listing("/v1/deliveries")
    def deliveries(
        self,
        *,
        endpoint_id: str | None = None,
        task_id: str | None = None,
        customer: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        """Deliveries, newest first."""

    @operation("GET", "/v1/deliveries/{delivery_id}")
    def get_delivery(self, delivery_id: str) -> Delivery:
        """A delivery with its attempts."""

    @operation("POST", "/v1/deliveries/{delivery_id}/retry")
    def retry_delivery(
        self, delivery_id: str, *, reason: str | None = None, dry_run: bool = False
    ) -> Delivery:
        """Sends a delivery again, now."""
