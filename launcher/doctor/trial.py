"""One sandbox made, looked at and deleted, by one provider, to see what really comes of it."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from launcher.client import Clock, Sleep
from launcher.providers.protocol import Key, Provider, ProviderError, SandboxSpec, SandboxStatus
from launcher.snapshots.scripts import find_digest

T = TypeVar("T")

INSTANCE: Final = "doctor"
"""No gateway's: none of them sweeps it, and what an earlier doctor has left is found by it."""
START_SECONDS: Final = 300.0
LOG_SECONDS: Final = 20.0
"""The entrypoint says at once which scripts it runs."""
LEFT_BEHIND: Final = 15 * 60_000
"""A sandbox of another doctor that is so old is nobody's any more (milliseconds)."""
LATE_LOOKS: Final = 5
"""A create that was cut short may still land: its name is looked up so often, a second apart."""


class Trial(msgspec.Struct, kw_only=True, rename="camel"):
    """What came of it; seconds count from the create call."""

    provider: str
    at: str
    asked: str | None
    name: str
    got: str | None = None
    sandbox_id: str | None = None
    created_seconds: float | None = None
    started_seconds: float | None = None
    entrypoint_ran: bool | None = None
    """None: nobody could look."""
    scripts: str | None = None
    """The digest of the scripts inside."""
    is_deleted: bool = False
    error: str | None = None

    @property
    def all_ok(self) -> bool:
        """Whether a task would have run, and nothing is left."""
        is_right = self.asked is None or self.got == self.asked
        return is_right and self.error is None and self.is_deleted and self.entrypoint_ran is True


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialContext:
    """Where trials are made."""

    say: Callable[[str], None]
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


async def run_trial(
    provider: Provider, snapshot: str | None, trials_context: TrialContext
) -> Trial:
    """Whatever happens, Ctrl-C included, the sandbox is deleted before this returns or raises."""
    mark = uuid.uuid4().hex[:10]
    key = Key(instance=INSTANCE, name=f"slipgate-doctor-{mark}")
    labels = {"slipgate-instance": INSTANCE, "slipgate-doctor": mark}
    trial = Trial(
        provider=provider.name,
        at=trials_context.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        asked=snapshot,
        name=key.name,
    )
    begun = trials_context.clock()
    try:
        await _clear_away(provider, trials_context)
        # No variables at all: the entrypoint ends by itself, and there is nothing to see in it.
        found = await provider.create(
            SandboxSpec(key=key, snapshot=snapshot, labels=labels, env={})
        )
        trial.created_seconds = round(trials_context.clock() - begun, 2)
        trial.sandbox_id, trial.got = found.id, found.snapshot
        await _until_started(provider, found, trials_context)
        trial.started_seconds = round(trials_context.clock() - begun, 2)
        await _look_inside(provider, found.key, trial, trials_context)
    except ProviderError as error:
        trial.error = error.message
        trial.is_deleted = trial.sandbox_id is None and not error.retryable  # it made nothing
    finally:
        if not trial.is_deleted:
            await _delete(provider, key, trial, trials_context)
    return trial


async def _until_started(
    provider: Provider, found: SandboxStatus, trials_context: TrialContext
) -> None:
    deadline = trials_context.clock() + START_SECONDS
    seen: SandboxStatus | None = found
    while seen is not None and seen.state == "creating":
        if trials_context.clock() > deadline:
            raise ProviderError("launch_timeout", "it did not start in 300 s", retryable=True)
        await trials_context.sleep(0.5)
        seen = await provider.find(found.key)
    if seen is None or seen.state != "started":
        reason = (seen.reason or await provider.read_log(found.key)) if seen else ""
        state = seen.state if seen else "gone"
        told = f"it is {state} instead of started. {reason}".strip()
        raise ProviderError("sandbox_error", told, retryable=True)


async def _look_inside(
    provider: Provider, key: Key, trial: Trial, trials_context: TrialContext
) -> None:
    deadline = trials_context.clock() + LOG_SECONDS
    log = ""
    while not log.strip() and trials_context.clock() < deadline:
        log = await provider.read_log(key)
        if not log.strip():
            await trials_context.sleep(0.5)
    trial.entrypoint_ran = bool(log.strip())
    trial.scripts = find_digest(log.split())


async def _clear_away(provider: Provider, trials_context: TrialContext) -> None:
    """What a doctor that was killed has left."""
    now = trials_context.now().timestamp() * 1000
    for found in await provider.list_sandboxes(INSTANCE):
        if found.state != "destroyed" and now - found.created_at > LEFT_BEHIND:
            trials_context.say(f"an earlier doctor has left {found.key.name}; it is deleted")
            await provider.remove(found.key)


async def _delete(provider: Provider, key: Key, trial: Trial, trials_context: TrialContext) -> None:
    try:
        trial.sandbox_id = trial.sandbox_id or await _late(provider, key, trials_context)
        known = replace(key, id=trial.sandbox_id)
        await _patiently(lambda: provider.remove(known), trials_context)
        trial.is_deleted = True
    except ProviderError as error:
        trials_context.say(f"{key.name} could not be deleted: {error.message}")


async def _late(provider: Provider, key: Key, trials_context: TrialContext) -> str | None:
    for _ in range(LATE_LOOKS):
        found = await _patiently(lambda: provider.find(key), trials_context)
        if found is not None:
            return found.id
        await trials_context.sleep(1)
    return None


async def _patiently(call: Callable[[], Awaitable[T]], trials_context: TrialContext) -> T:
    for pause in (1, 3, 9):
        try:
            return await call()
        except ProviderError as error:
            if not error.retryable:
                raise
            await trials_context.sleep(pause)
    return await call()
