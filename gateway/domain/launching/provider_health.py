"""Providers that fail for a cause of their own: launching there pauses, and a probe resumes it."""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import ProviderRealm, RealmKey, realm_text
from gateway.domain.operations.audit_log import GATEWAY
from gateway.domain.operations.switches import Pause
from gateway.domain.tasks.task import Attempt, TaskError

CAUSES: Final = frozenset({"provider_auth", "provider_suspended", "provider_unavailable"})
"""Error codes that no task can cause: every launch there would fail alike."""
FAILURES: Final = 5
"""Launches in a row that fail with one code until the provider is paused."""
WITHIN: Final = 300_000
"""The time in which they must fail (milliseconds)."""
FIRST_PROBE: Final = 60_000
"""Time until the first probe (milliseconds); it doubles after each that fails."""
LONGEST_PROBE: Final = 900_000
"""Longest time between two probes (milliseconds)."""


def note_failure(
    unit: UnitOfWork, job: Job, attempt: Attempt, error: TaskError, now: int, *, named: str
) -> bool:
    """Counts a failed launch at the provider that was tried last, or is `named`; True if that is
    paused for the error now, so that the task waits for it in the queue."""
    is_tried = (attempt.tried_as or "").startswith(f"{job.id}.{job.lease}/")
    provider = attempt.provider if is_tried else None
    key = _realm_key(unit, job, provider or named)
    realm = unit.realms.get(key) if key else None
    if key is None or realm is None or error.code not in CAUSES:
        return False
    pause = unit.switches.holding(key, now)
    if pause is not None:
        return pause.code == error.code
    is_next = realm.failing_code == error.code and now - (realm.failing_since or 0) < WITHIN
    failures = realm.failures + 1 if is_next else 1
    since = realm.failing_since if is_next else now
    noted = replace(realm, failing_code=error.code, failing_since=since, failures=failures)
    unit.realms.put(noted)
    if failures < FAILURES:
        return False
    _pause(unit, key, error, now)
    return True


def note_success(unit: UnitOfWork, job: Job, provider: str, now: int) -> None:
    """A sandbox was made there: the provider works, and a pause of the gateway's is over."""
    key = _realm_key(unit, job, provider)
    realm = unit.realms.get(key) if key else None
    if key is None or realm is None:
        return
    if realm.failures:
        unit.realms.put(replace(realm, failing_code=None, failing_since=None, failures=0))
    pause = unit.switches.holding(key, now)
    if pause is None or pause.code is None:
        return
    ended = replace(pause, ended_at=now, ended_by=GATEWAY, end_reason="a launch has succeeded")
    unit.switches.put(ended)
    _audit(unit, "switch.resumed", ended, ended.end_reason)
    check_tasks(unit, pause, now)


def take_probe(unit: UnitOfWork, key: RealmKey, now: int) -> None:
    """A launch was given out: if the realm is paused it is the probe, and the next one waits."""
    pause = unit.switches.holding(key, now)
    if pause is None:
        return
    probes = pause.probes + 1
    wait = min(FIRST_PROBE << min(probes, 10), LONGEST_PROBE)
    unit.switches.put(replace(pause, probe_at=now + wait, probes=probes))


def check_tasks(unit: UnitOfWork, pause: Pause, now: int) -> None:
    """Makes the realms of a pause due at once: their tasks get or lose the flag `provider_down`."""
    for realm in list(unit.realms.values()):
        if realm.due_at is not None and pause.covers(realm.key):
            unit.realms.put(replace(realm, due_at=now))


def admitted(
    unit: UnitOfWork, provider_realms: tuple[ProviderRealm, ...], project: str, now: int
) -> Iterator[ProviderRealm]:
    """The realms in which a launcher of the project (empty: of all) may create sandboxes now,
    those due for a probe last."""
    held = {each: unit.switches.holding((*each, project), now) for each in provider_realms}
    yield from (each for each, pause in held.items() if pause is None)
    for each, pause in held.items():
        if pause is not None and pause.probe_at is not None and pause.probe_at <= now:
            yield each


def _pause(unit: UnitOfWork, key: RealmKey, error: TaskError, now: int) -> None:
    provider, realm, project = key
    pause = Pause(
        switch="launching",
        project=project,
        provider=realm_text((provider, realm)),
        since=now,
        until=None,
        reason=f"{FAILURES} launches in a row failed with {error.code}: {error.message}",
        actor=GATEWAY,
        code=error.code,
        probe_at=now + FIRST_PROBE,
    )
    unit.switches.put(pause)
    _audit(unit, "switch.paused", pause, pause.reason)
    check_tasks(unit, pause, now)


def _audit(unit: UnitOfWork, action: str, pause: Pause, reason: str | None) -> None:
    unit.audit.emit(
        action,
        pause.switch,
        pause.project or None,
        by=GATEWAY,
        reason=reason,
        provider=pause.provider,
    )


def _realm_key(unit: UnitOfWork, job: Job, provider: str) -> RealmKey | None:
    """The realm of the provider at the launcher that holds the job."""
    launcher = unit.launchers.get(job.leased_by or "")
    if launcher is None:
        return None
    realms = (realm for name, realm in launcher.providers if name == provider)
    realm = next(realms, None)
    return None if realm is None else (provider, realm, launcher.project)
