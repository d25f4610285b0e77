"""Rules for replays, and for the retry of one delivery."""

from msgspec.structs import replace

from gateway.domain.deliveries.commands import (
    AdvanceReplay,
    EndpointReply,
    ReplayReply,
    RetryDelivery,
    StartReplay,
)
from gateway.domain.deliveries.endpoint_changes import endpoint_of
from gateway.domain.deliveries.replay import DeliveryUpdate, Replay
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import delivery_id
from gateway.domain.kernel.unit_of_work import UnitOfWork


def start(unit: UnitOfWork, command: StartReplay, now: int) -> ReplayReply:
    """Stores the replay of deliveries up to the newest event."""
    first = unit.idempotency.first(command.idempotency)
    if isinstance(first, ReplayReply):
        return replace(first, replayed=True)
    endpoint = endpoint_of(unit, command.replay.endpoint_id)
    if not endpoint.enabled and not command.replay.dry_run:
        raise _disabled()
    until = min(command.replay.until_seq, unit.newest)
    replay = replace(command.replay, until_seq=until, created_at=now, updated_at=now)
    unit.outbox.put_replay(replay)
    if not replay.dry_run:
        unit.audit.emit("replay.started", replay.id, replay.project, endpoint=endpoint.id)
    reply = ReplayReply(replay=replay)
    unit.idempotency.store(command.idempotency, reply, now)
    return reply


def advance(unit: UnitOfWork, command: AdvanceReplay, now: int) -> ReplayReply:
    """Processes the next deliveries of a running job."""
    replay = unit.outbox.replays.get(command.replay_id)
    if replay is None:
        raise ApiError("not_found", "There is no such replay.")
    if replay.status != "running":
        return ReplayReply(replay=replay)
    endpoint = unit.outbox.directory.find(replay.endpoint_id)
    is_open = endpoint is not None and endpoint.enabled
    if replay.kind in {"replay", "release"} and not is_open and not replay.dry_run:
        return _put(unit, replace(replay, status="cancelled", updated_at=now, finished_at=now))
    page = unit.outbox.pages.pop(replay.id, ())
    if not replay.dry_run:
        unit.outbox.delivery_updates += [_updated(replay, seq, now) for seq in page]
    moved = replace(
        replay,
        matched=replay.matched + len(page),
        after_seq=max(page, default=replay.after_seq),
        updated_at=now,
    )
    if len(page) < command.limit:
        moved = replace(moved, status="done", finished_at=now)
        if replay.kind == "release" and endpoint is not None:
            unit.outbox.put_endpoint(replace(endpoint, is_draining=False))
            _release_new(unit, endpoint.id, now)
    return _put(unit, moved)


def retry(unit: UnitOfWork, command: RetryDelivery, now: int) -> EndpointReply:
    """Makes the delivery due now; a pending one keeps its position in the schedule."""
    state = unit.outbox.delivery_states.get((command.endpoint_id, command.seq))
    if state is None:
        raise ApiError("not_found", "There is no such delivery.")
    endpoint = endpoint_of(unit, command.endpoint_id)
    if not endpoint.enabled:
        raise _disabled()
    unit.outbox.delivery_updates.append(
        DeliveryUpdate(
            endpoint_id=endpoint.id,
            seq=command.seq,
            status="pending",
            next_attempt_at=now,
            trigger="manual",
            failures=state.failures if state.status == "pending" else 0,
        )
    )
    delivery = delivery_id(endpoint.id, command.seq)
    unit.audit.emit("delivery.retried", delivery, endpoint.project)
    return EndpointReply(endpoint=endpoint)


def _put(unit: UnitOfWork, replay: Replay) -> ReplayReply:
    unit.outbox.put_replay(replay)
    return ReplayReply(replay=replay)


def _updated(replay: Replay, seq: int, now: int) -> DeliveryUpdate:
    update = DeliveryUpdate(endpoint_id=replay.endpoint_id, seq=seq, status="held", failures=None)
    match replay.kind:
        case "hold":
            return update
        case "drop":
            return replace(update, status="dead", reason=replay.reason)
        case "release":
            return replace(update, status="pending", next_attempt_at=now)
        case "replay":
            return replace(
                update, status="pending", next_attempt_at=now, trigger="replay", failures=0
            )


def _release_new(unit: UnitOfWork, endpoint_id: str, now: int) -> None:
    """Releases deliveries held earlier in this batch: the last page does not contain them."""
    unit.deliveries.new = [
        replace(delivery, status="pending", next_attempt_at=now)
        if delivery.endpoint_id == endpoint_id and delivery.status == "held"
        else delivery
        for delivery in unit.deliveries.new
    ]


def _disabled() -> ApiError:
    return ApiError(
        "endpoint_disabled",
        "The endpoint is disabled: its events are held.",
        hint="Enable it first: POST /v1/endpoints/{id}/enable.",
    )
