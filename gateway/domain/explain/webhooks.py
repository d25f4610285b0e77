"""Deliveries that have not arrived."""

from collections.abc import Sequence

from gateway.domain.deliveries.delivery import DeliveryState
from gateway.domain.deliveries.reasons import ADVICE
from gateway.domain.explain.explanation import ExplainInput
from gateway.domain.explain.formatting import bare, count, future, paused, tries


def problems(s: ExplainInput) -> tuple[str, ...]:
    """Failed deliveries; for an ended task also those on the way."""
    pending = [delivery for delivery in s.deliveries if delivery.status == "pending"]
    failing = [delivery for delivery in pending if delivery.failures]
    fresh = len(pending) - len(failing)
    way = (f"{count(fresh, 'webhook')} {_is_or_are(fresh)} on the way",)
    pause = s.pause("delivering") if pending else None
    return (
        *((paused(pause, s.now),) if pause else ()),
        *(_failing(s, failing) if failing else ()),
        *(way if fresh and s.task.status.is_terminal else ()),
        *_dead([delivery for delivery in s.deliveries if delivery.status == "dead"]),
        *_held([delivery for delivery in s.deliveries if delivery.status == "held"]),
    )


def waits_for_delivery(s: ExplainInput) -> str | None:
    """The receiver that an ended task waits for, if any."""
    number = sum(delivery.status == "pending" for delivery in s.deliveries)
    if number and s.pause("delivering") is not None:
        held = f"{count(number, 'webhook')} {_is_or_are(number)} held until then"
        return f"ops to resume delivering; {held}"
    if number:
        return f"its receiver to take {count(number, 'webhook')}"
    is_held = any(delivery.status == "held" for delivery in s.deliveries)
    return "somebody to enable its endpoint again" if is_held else None


def next_try(s: ExplainInput) -> DeliveryState | None:
    """The failing delivery that is tried next."""
    failing = [
        delivery
        for delivery in s.deliveries
        if delivery.failures and delivery.next_attempt_at is not None
    ]
    return min(failing, key=lambda delivery: delivery.next_attempt_at or 0, default=None)


def _failing(s: ExplainInput, failing: Sequence[DeliveryState]) -> tuple[str, ...]:
    parked = sum(delivery.is_parked for delivery in failing)
    aside = f", {parked} of them parked" if parked and parked < len(failing) else ""
    aside = ", parked" if parked == len(failing) else aside
    head = f"{count(len(failing), 'webhook')} {_is_or_are(len(failing))} owed{aside}"
    last, following = failing[-1], next_try(s)
    why = f", the last try failed ({bare(last.reason)})" if last.reason else ""
    if following is None or following.next_attempt_at is None:
        return (f"{head}{why}", *_advice(last))
    again = f" and the next is {future(following.next_attempt_at, s.now)}"
    return (f"{head}{why}{again}", *_advice(last))


def _dead(dead: Sequence[DeliveryState]) -> tuple[str, ...]:
    if not dead:
        return ()
    why = f" ({bare(dead[-1].reason)})" if dead[-1].reason else ""
    after = tries(dead[-1].attempts)
    return (
        f"{count(len(dead), 'webhook')} {_is_or_are(len(dead))} dead after {after}{why}",
        *_advice(dead[-1]),
    )


def _advice(failed: DeliveryState) -> tuple[str, ...]:
    """The way to mend it, where its reason tells."""
    found = ADVICE.get(failed.reason or "")
    return () if found is None else (f"to mend {failed.reason}: {found}",)


def _held(held: Sequence[DeliveryState]) -> tuple[str, ...]:
    if not held:
        return ()
    number = len(held)
    return (f"{count(number, 'webhook')} {_is_or_are(number)} held, for the endpoint is disabled",)


def _is_or_are(number: int) -> str:
    return "is" if number == 1 else "are"
