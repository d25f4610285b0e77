"""Rules for endpoints: create, update, delete, enable, disable, rotate the secret."""

from typing import Final

from msgspec import UNSET
from msgspec.structs import asdict, replace

from gateway.domain.deliveries.commands import (
    CreateEndpoint,
    DeleteEndpoint,
    DisableEndpoint,
    EnableEndpoint,
    EndpointReply,
    RotateSecret,
    UpdateEndpoint,
)
from gateway.domain.deliveries.endpoint import (
    MOST_LIVE,
    MOST_OF_CUSTOMER,
    Directory,
    Endpoint,
    shown_url,
)
from gateway.domain.deliveries.endpoint_events import emit_endpoint_event
from gateway.domain.deliveries.replay import NO_LIMIT, Replay, ReplayKind
from gateway.domain.deliveries.type_patterns import ALL, split
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.wire.problem import FieldError

DELETED: Final = "endpoint_deleted"
DROPPED: Final = "backlog_dropped"


def create(unit: UnitOfWork, command: CreateEndpoint, now: int) -> EndpointReply:
    """Creates an endpoint that gets the events from now on."""
    first = unit.idempotency.first(command.idempotency)
    if isinstance(first, EndpointReply):
        return replace(first, replayed=True)
    outbox = unit.outbox
    endpoint = _for_customer(replace(command.endpoint, created_at=now, updated_at=now))
    _check_count(outbox.directory, endpoint)
    outbox.put_endpoint(endpoint)
    outbox.subscribe(endpoint, unit.newest)
    outbox.addresses.append(command.address)
    outbox.new_secrets.append((command.secret, command.sealed))
    unit.audit.emit("endpoint.created", endpoint.id, endpoint.project, origin=endpoint.origin)
    reply = EndpointReply(endpoint=endpoint, secret_id=command.secret.id)
    unit.idempotency.store(command.idempotency, reply, now)
    return reply


def _check_count(directory: Directory, endpoint: Endpoint) -> None:
    """Refuses one more endpoint of a customer that has many: it makes them itself, in the portal,
    and each of its events goes to all of them."""
    if endpoint.customer is None:
        return
    if len(directory.explicit_of(endpoint.project, endpoint.customer)) >= MOST_OF_CUSTOMER:
        raise ApiError(
            "too_many_endpoints", f"A customer has {MOST_OF_CUSTOMER} endpoints at most."
        )


def update(unit: UnitOfWork, command: UpdateEndpoint, now: int) -> EndpointReply:
    """Changes the endpoint for events from now on."""
    before = endpoint_of(unit, command.endpoint_id)
    if before.implicit and command.changes.shown_url is not UNSET:
        raise ApiError(
            "implicit_endpoint",
            "The address of an implicit endpoint is the callbackUrl of each task.",
            hint="Leave `url` out, or make an endpoint of the project.",
        )
    given = {name: value for name, value in asdict(command.changes).items() if value is not UNSET}
    after = replace(before, **given, updated_at=now)
    after = _for_customer(after)
    if command.changes.shown_url is not UNSET:
        shown = shown_url(after.shown_url or "", after.origin, after.format)
        after = replace(after, shown_url=shown)
    unit.outbox.put_endpoint(after)
    if after.event_types != before.event_types:
        unit.outbox.subscribe(after, unit.newest)
    if command.address is not None:
        unit.outbox.addresses.append(command.address)
    unit.audit.emit("endpoint.updated", after.id, after.project, fields=tuple(given))
    return EndpointReply(endpoint=after)


def delete(unit: UnitOfWork, command: DeleteEndpoint, now: int) -> EndpointReply:
    """Deletes the endpoint; its undelivered deliveries become dead."""
    endpoint = endpoint_of(unit, command.endpoint_id)
    if endpoint.implicit:
        raise ApiError(
            "implicit_endpoint",
            "An implicit endpoint is there as long as tasks name its origin in a callbackUrl.",
            hint="Disable it: its events are held.",
        )
    unit.outbox.delete_endpoint(endpoint, unit.newest, now)
    _start_job(unit, endpoint, "drop", now, reason=DELETED)
    unit.audit.emit("endpoint.deleted", endpoint.id, endpoint.project, origin=endpoint.origin)
    return EndpointReply(endpoint=endpoint)


def enable(unit: UnitOfWork, command: EnableEndpoint, now: int) -> EndpointReply:
    """Enables the endpoint; its held deliveries are sent before newer ones, or become dead."""
    before = endpoint_of(unit, command.endpoint_id)
    if before.enabled:
        return EndpointReply(endpoint=before)
    delivers = command.backlog == "deliver"
    after = replace(
        before,
        enabled=True,
        is_draining=delivers,
        disabled_reason=None,
        failing_since=None,
        updated_at=now,
    )
    unit.outbox.put_endpoint(after)
    if delivers:
        _start_job(unit, after, "release", now)
    else:
        _start_job(unit, after, "drop", now, until_seq=unit.newest, reason=DROPPED)
    unit.audit.emit("endpoint.enabled", after.id, after.project, backlog=command.backlog)
    return EndpointReply(endpoint=after)


def disable(unit: UnitOfWork, command: DisableEndpoint, now: int) -> EndpointReply:
    """Disables the endpoint: its deliveries are held; the project's others get an event."""
    before = endpoint_of(unit, command.endpoint_id)
    if not before.enabled:
        return EndpointReply(endpoint=before)
    after = replace(
        before, enabled=False, is_draining=False, disabled_reason=command.reason, updated_at=now
    )
    after = emit_endpoint_event(unit, after, "endpoint.disabled", now, reason=command.reason)
    _start_job(unit, after, "hold", now)
    unit.audit.emit("endpoint.disabled", after.id, after.project, reason=command.reason)
    return EndpointReply(endpoint=after)


def rotate(unit: UnitOfWork, command: RotateSecret, now: int) -> EndpointReply:
    """Adds the new secret; the older ones sign too until they expire."""
    first = unit.idempotency.first(command.idempotency)
    if isinstance(first, EndpointReply):
        return replace(first, replayed=True)
    endpoint = endpoint_of(unit, command.endpoint_id)
    end = now + command.overlap
    live = [
        secret
        for secret in unit.outbox.secrets.get(endpoint.id, ())
        if secret.expires_at is None or secret.expires_at > now
    ]
    if command.overlap and len(live) >= MOST_LIVE:
        raise ApiError(
            "too_many_secrets",
            f"{len(live)} secrets of the endpoint are live.",
            hint="Retire the old ones at once with overlapSeconds 0, or wait until they expire.",
        )
    old = tuple(replace(secret, expires_at=min(secret.expires_at or end, end)) for secret in live)
    unit.outbox.expiring.extend(old)
    unit.outbox.new_secrets.append((command.secret, command.sealed))
    unit.outbox.secrets[endpoint.id] = (command.secret, *old)
    unit.audit.emit(
        "endpoint.secret_rotated", endpoint.id, endpoint.project, key_id=command.secret.id
    )
    reply = EndpointReply(endpoint=endpoint, secret_id=command.secret.id)
    unit.idempotency.store(command.idempotency, reply, now)
    return reply


def _for_customer(endpoint: Endpoint) -> Endpoint:
    """An endpoint of a customer gets its own events alone, by default all of them: ours tell of the
    whole project."""
    if endpoint.customer is None:
        return endpoint
    patterns = endpoint.event_types or (ALL,)
    ours = [pattern for pattern in split(patterns)[0] if pattern != ALL]
    if not ours:
        return replace(endpoint, event_types=patterns)
    raise ApiError(
        "invalid_request",
        f"$.eventTypes: An endpoint of a customer gets no events of type {ours[0]}.",
        hint="Name types of your own, or `*`.",
        errors=(FieldError(path="$.eventTypes", message="Expected types of your own"),),
    )


def endpoint_of(unit: UnitOfWork, endpoint_id: str) -> Endpoint:
    """The endpoint. Raises `not_found`."""
    endpoint = unit.outbox.directory.find(endpoint_id)
    if endpoint is None:
        raise ApiError("not_found", "There is no such endpoint.")
    return endpoint


def _start_job(
    unit: UnitOfWork,
    endpoint: Endpoint,
    kind: ReplayKind,
    now: int,
    *,
    until_seq: int = NO_LIMIT,
    reason: str | None = None,
) -> None:
    """Starts the job that moves its deliveries to the new state; running jobs are cancelled."""
    for running in unit.outbox.running(endpoint.id):
        unit.outbox.put_replay(
            replace(running, status="cancelled", updated_at=now, finished_at=now)
        )
    unit.outbox.put_replay(
        Replay(
            id=f"rpl_{endpoint.id.removeprefix('ep_')}-{kind}-{now}",
            kind=kind,
            endpoint_id=endpoint.id,
            project=endpoint.project,
            until_seq=until_seq,
            reason=reason,
            created_at=now,
            updated_at=now,
        )
    )
