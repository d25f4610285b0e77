"""A queued task: the reasons why it is not launched yet."""

from collections.abc import Callable
from typing import Final

from gateway.domain.explain.advice import advice
from gateway.domain.explain.cleanup import cleanup, waits_for
from gateway.domain.explain.explanation import ExplainInput, Reason
from gateway.domain.explain.formatting import (
    LAUNCHES,
    bare,
    clock,
    count,
    duration,
    future,
    inside,
    listed,
    no_launcher,
    past,
    paused,
    since,
    state,
    wanted_realm,
)
from gateway.domain.launching.realm import realm_text
from gateway.domain.tasks.event import Retried
from gateway.domain.tasks.task import TaskError


def queued(s: ExplainInput) -> Reason:
    """The first reason that applies."""
    reasons = (rule(s) for rule in _REASONS)
    return next(reason for reason in reasons if reason is not None)


def _old_sandbox(s: ExplainInput) -> Reason | None:
    if s.task.claimable_at is not None or not s.older:
        return None
    oldest = s.older[0]
    waiting = f"it may begin when the sandbox of attempt {oldest.number} is gone"
    return Reason(
        clauses=(state(s), waiting, *cleanup(s, oldest)), waiting_for=waits_for(s, oldest)
    )


def _backoff(s: ExplainInput) -> Reason | None:
    at = s.task.claimable_at
    failed = _failed_launch(s)
    if at is None or at <= s.now or failed is None or s.provider_pauses:
        return None
    launch, error = failed
    return Reason(
        clauses=(
            f"{state(s)}, launch {launch - 1} of {LAUNCHES} failed with {error.code}",
            inside(error.message),
            f"launch {launch} may begin {future(at, s.now)}",
            f"what helps: {advice(error.code)}",
        ),
        waiting_for=f"the pause before launch {launch} to end",
    )


def _not_before(s: ExplainInput) -> Reason | None:
    at = s.task.claimable_at
    if at is None or at <= s.now or _failed_launch(s) is not None:
        return None
    when = clock(at, s.now)
    text = f"{state(s)}, not to begin before {when} (in {duration(at - s.now)}), as was asked for"
    return Reason(clauses=(text,), waiting_for=f"its notBefore, {when}")


def _key_taken(s: ExplainInput) -> Reason | None:
    key, limit = s.task.concurrency_key, s.policy.concurrency_per_key
    if key is None or len(s.key_holders) < limit:
        return None
    holders = listed(s.key_holders)
    verb = "holds" if len(s.key_holders) == 1 else "hold"
    return Reason(
        clauses=(
            _waiting_since(s),
            f"{holders} {verb} its concurrency key {bare(key)}, which admits {limit} at a time",
            "its queue clock stands still until then",
        ),
        waiting_for=f"{holders} to end",
    )


def _paused(s: ExplainInput) -> Reason | None:
    pause = s.pause("launching")
    if pause is None:
        return None
    clauses = (_waiting_since(s), paused(pause, s.now), "its queue clock stands still until then")
    until = "" if pause.until is None else f", or {clock(pause.until, s.now)}"
    return Reason(clauses=clauses, waiting_for=f"ops to resume launching{until}")


def _provider_paused(s: ExplainInput) -> Reason | None:
    pauses = s.provider_pauses
    if not pauses:
        return None
    names = listed([pause.provider for pause in pauses])
    probes = [at for at in (pause.probe_at for pause in pauses) if at is not None]
    probe = (f"one launch is tried there {future(min(probes), s.now)}",) if probes else ()
    return Reason(
        clauses=(
            _waiting_since(s),
            *(paused(pause, s.now) for pause in pauses[:2]),
            *probe,
            "its queue clock stands still until then",
        ),
        waiting_for=f"launching at {names} to be resumed",
    )


def _drained(s: ExplainInput) -> Reason | None:
    if s.able or not s.drained:
        return None
    names = listed([call.launcher_id for call in s.drained])
    text = f"{names} could take it, but ops let no new work go there"
    return Reason(
        clauses=(_waiting_since(s), text, *_expiry(s)), waiting_for=f"ops to resume {names}"
    )


def _no_live_launcher(s: ExplainInput) -> Reason | None:
    if s.able:
        return None
    wanted = wanted_realm(s)
    return Reason(
        clauses=(_waiting_since(s), no_launcher(s, wanted), *_live_launchers(s), *_expiry(s)),
        waiting_for=f"a launcher of {wanted}" if wanted else "a launcher",
    )


def _launchers_full(s: ExplainInput) -> Reason | None:
    if any(call.capacity for call in s.able):
        return None
    names = listed([call.launcher_id for call in s.able])
    full = "is full" if len(s.able) == 1 else "are full"
    return Reason(
        clauses=(
            _waiting_since(s),
            f"{names} can take it but {full}",
            f"it waits for room, with priority {s.task.priority} of 9",
            *_expiry(s),
        ),
        waiting_for=f"room at {names}",
    )


def _soon(s: ExplainInput) -> Reason:
    free = [call for call in s.able if call.capacity]
    names = listed([call.launcher_id for call in free])
    places = count(sum(call.capacity for call in free), "task")
    clauses = (_waiting_since(s), f"{names} can take it, with room for {places}", *_expiry(s))
    return Reason(clauses=clauses, waiting_for=f"{names} to claim it")


_REASONS: Final[tuple[Callable[[ExplainInput], Reason | None], ...]] = (
    _old_sandbox,
    _backoff,
    _not_before,
    _paused,
    _key_taken,
    _provider_paused,
    _drained,
    _no_live_launcher,
    _launchers_full,
    _soon,
)


def _failed_launch(s: ExplainInput) -> tuple[int, TaskError] | None:
    """The number of the next launch, and the error of the one before."""
    event = s.newest("task.retried")
    fact = event.fact if event is not None and event.attempt == s.task.attempt else None
    if not isinstance(fact, Retried) or fact.attempt != s.task.attempt or fact.error is None:
        return None
    return fact.launch, fact.error


def _waiting_since(s: ExplainInput) -> str:
    at = s.task.claimable_at
    return state(s) if at is None or at > s.now else f"{state(s)} {since(at, s.now)}"


def _live_launchers(s: ExplainInput) -> tuple[str, ...]:
    if s.live:
        served = (
            f"{call.launcher_id} serves {listed([realm_text(each) for each in call.providers])}"
            for call in s.live[:3]
        )
        return (", ".join(served),)
    if not s.launchers:
        return () if s.has_just_started else ("none has ever called",)
    last = s.launchers[0]
    return (f"{last.launcher_id} was the last to call, {past(last.at, s.now)}",)


def _expiry(s: ExplainInput) -> tuple[str, ...]:
    at = s.task.clocks.queue
    if at is None:
        return ()
    # Time in which its key was full is added when the clock is due.
    earliest = "" if s.task.concurrency_key is None else " at the earliest"
    return (f"at {clock(at, s.now)}{earliest} it expires",)
