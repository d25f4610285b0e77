"""One sandbox that is created, inspected and deleted, to see how a provider really behaves."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from launcher.client import Clock, Sleep
from launcher.providers.protocol import (
    INSTANCE_LABEL,
    Key,
    Provider,
    ProviderError,
    SandboxSpec,
    SandboxStatus,
)
from launcher.snapshots.scripts import find_digest

T = TypeVar("T")

INSTANCE: Final = "doctor"
"""An instance of no gateway: none sweeps it, and the next doctor finds what this one has left."""
TTL_MINUTES: Final = 15
"""Daytona ends a sandbox that nobody deletes."""
START_SECONDS: Final = 300.0
LOG_SECONDS: Final = 20.0
"""The entrypoint prints at once which scripts it runs."""
ABANDONED_MS: Final = 15 * 60_000
"""Age of a sandbox that no running doctor owns."""
LATE_LOOKUPS: Final = 5
"""A create that was cut short may still land: its name is looked up so often, a second apart."""


class Trial(msgspec.Struct, kw_only=True, rename="camel"):
    """Result of a trial; seconds count from the create call."""

    provider: str
    at: str
    asked: str | None
    name: str
    got: str | None = None
    sandbox_id: str | None = None
    created_seconds: float | None = None
    started_seconds: float | None = None
    entrypoint_ran: bool | None = None
    """None: unknown."""
    scripts: str | None = None
    """Digest of the scripts inside."""
    is_deleted: bool = False
    error: str | None = None

    @property
    def is_ok(self) -> bool:
        """True if a task would have run, and nothing is left."""
        is_right = self.asked is None or self.got == self.asked
        return is_right and self.error is None and self.is_deleted and self.entrypoint_ran is True


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialRunner:
    log: Callable[[str], None]
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def run(self, provider: Provider, snapshot: str | None) -> Trial:
        """Deletes the sandbox before it returns or raises, also after Ctrl-C."""
        mark = uuid.uuid4().hex[:10]
        key = Key(instance=INSTANCE, name=f"slipgate-doctor-{mark}")
        labels = {INSTANCE_LABEL: INSTANCE, "slipgate-doctor": mark}
        trial = Trial(
            provider=provider.name,
            at=self.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            asked=snapshot,
            name=key.name,
        )
        # No variables at all: the entrypoint ends by itself, and there is no secret in it.
        spec = SandboxSpec(key=key, snapshot=snapshot, labels=labels, env={})
        try:
            await self._create(provider, spec, trial)
        except ProviderError as error:
            trial.error = error.message
            # A permanent error before there was an id: no sandbox was made.
            trial.is_deleted = trial.sandbox_id is None and not error.retryable
        finally:
            if not trial.is_deleted:
                await self._delete(provider, key, trial)
        return trial

    async def _create(self, provider: Provider, spec: SandboxSpec, trial: Trial) -> None:
        start = self.clock()
        await self._remove_abandoned(provider)
        found = await provider.create(spec)
        trial.created_seconds = round(self.clock() - start, 2)
        trial.sandbox_id, trial.got = found.id, found.snapshot
        await self._wait_started(provider, found)
        trial.started_seconds = round(self.clock() - start, 2)
        await self._read_log(provider, found.key, trial)

    async def _wait_started(self, provider: Provider, found: SandboxStatus) -> None:
        deadline = self.clock() + START_SECONDS
        seen: SandboxStatus | None = found
        while seen is not None and seen.state == "creating":
            if self.clock() > deadline:
                raise ProviderError("launch_timeout", "it did not start in 300 s", retryable=True)
            await self.sleep(0.5)
            seen = await provider.find(found.key)
        if seen is None or seen.state != "started":
            reason = (seen.reason or await provider.read_log(found.key)) if seen else ""
            state = seen.state if seen else "gone"
            message = f"it is {state} instead of started. {reason}".strip()
            raise ProviderError("sandbox_error", message, retryable=True)

    async def _read_log(self, provider: Provider, key: Key, trial: Trial) -> None:
        deadline = self.clock() + LOG_SECONDS
        log = ""
        while not log.strip() and self.clock() < deadline:
            log = await provider.read_log(key)
            if not log.strip():
                await self.sleep(0.5)
        trial.entrypoint_ran = bool(log.strip())
        trial.scripts = find_digest(log.split())

    async def _remove_abandoned(self, provider: Provider) -> None:
        """Removes sandboxes of a doctor that was killed."""
        now = self.now().timestamp() * 1000
        for found in await provider.list_sandboxes(INSTANCE):
            if found.state != "destroyed" and now - found.created_at > ABANDONED_MS:
                self.log(f"an earlier doctor has left {found.key.name}; it is deleted")
                await provider.remove(found.key)

    async def _delete(self, provider: Provider, key: Key, trial: Trial) -> None:
        try:
            trial.sandbox_id = trial.sandbox_id or await self._find_late(provider, key)
            known = replace(key, id=trial.sandbox_id)
            await self._retry(lambda: provider.remove(known))
            trial.is_deleted = True
        except ProviderError as error:
            self.log(f"{key.name} could not be deleted: {error.message}")

    async def _find_late(self, provider: Provider, key: Key) -> str | None:
        for _ in range(LATE_LOOKUPS):
            found = await self._retry(lambda: provider.find(key))
            if found is not None:
                return found.id
            await self.sleep(1)
        return None

    async def _retry(self, call: Callable[[], Awaitable[T]]) -> T:
        for pause in (1, 3, 9):
            try:
                return await call()
            except ProviderError as error:
                if not error.retryable:
                    raise
                await self.sleep(pause)
        return await call()
