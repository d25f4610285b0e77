"""`daytona-api`: sandboxes by Daytona's REST API."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from gateway.wire.launcher import Process
from launcher.client import Clock, Sleep
from launcher.environment import is_for
from launcher.providers.daytona.documents import (
    INSTANCE_LABEL,
    Executed,
    Sandbox,
    SandboxPage,
    Session,
    ToolboxAddress,
)
from launcher.providers.daytona.gone import until_gone
from launcher.providers.daytona.http import (
    CREATE_SECONDS,
    Conflict,
    DaytonaHttp,
    Unanswered,
    segment,
)
from launcher.providers.daytona.refusals import refusal, unavailable
from launcher.providers.protocol import LOG_TAIL, Found, Key, Order, ProviderError, SpoolPiece
from launcher.providers.remote import STOP_SECONDS, read_spool, spool_command, stop_command

EXECUTE_SECONDS: Final = 15
STOPPED_MINUTES: Final = 24 * 60
"""A stopped sandbox is deleted by Daytona after so long, if nobody else does."""
PAGE: Final = "200"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What a create asks for beside what the job says."""

    target: str | None = None
    """A region; None: the organisation's own."""
    ttl_minutes: int | None = None
    """From creation to the end in any state, the backstop behind everything else; None: the API
    does not take it."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable → the name of a Daytona Secret that is to stand for it."""


class DaytonaApi:
    """Sandboxes of one organisation."""

    name = "daytona-api"

    def __init__(
        self,
        http: DaytonaHttp,
        *,
        realm: str,
        wishes: Wishes,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self.realm = realm
        self._http = http
        self._wishes = wishes
        self._sleep = sleep
        self._clock = clock

    async def create(self, order: Order) -> Found:
        """The name is the idempotency key: whatever is unclear is looked up under it."""
        try:
            made = await self._make(order)
        except Unanswered as error:
            made = await self._made_anyway(order, error)
        except Conflict as error:
            made = await self._holder(order, error)
        except ProviderError as error:
            if error.code == "sandbox_error":
                await self._clear(order)
            raise
        if made.snapshot is None:
            made = await self._http.get(f"/sandbox/{segment(made.id)}", Sandbox)
        return replace(made.found(), key=replace(order.key, id=made.id))

    async def find(self, key: Key) -> Found | None:
        """By id once it is known: a name is free before its sandbox is gone."""
        found = await self._look(key.id or key.name)
        return replace(found.found(), key=replace(key, id=found.id)) if found else None

    async def survey(self, instance: str) -> list[Found]:
        """Eventually consistent; whoever means to act on it looks again by id."""
        query = {"labels": msgspec.json.encode({INSTANCE_LABEL: instance}).decode(), "limit": PAGE}
        found: list[Found] = []
        while True:
            page = await self._http.get("/sandbox", SandboxPage, query=query)
            found += (each.found() for each in page.items)
            if page.next_cursor is None:
                return found
            query = {**query, "cursor": page.next_cursor}

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        """A sandbox that is not started shows nothing: its spool cannot be read without running
        its agent again."""
        found = await self._look(key.id or key.name)
        if found is None or found.reported_state != "started":
            return SpoolPiece(lines=(), offset=offset, has_more=False, skipped=0)
        toolbox = await self._toolbox(found)
        process = await self._process(toolbox)
        piece = read_spool(await self._execute(toolbox, spool_command(offset)))
        return replace(piece, process=process or piece.process)

    async def read_log(self, key: Key) -> str:
        """What the entrypoint printed."""
        found = await self._look(key.id or key.name)
        if found is None:
            return ""
        if found.reported_state != "started":
            return found.error_reason or ""
        toolbox = await self._toolbox(found)
        return (await self._http.text(f"{toolbox}/process/session/entrypoint/logs"))[-LOG_TAIL:]

    async def stop(self, key: Key) -> None:
        """Ends the agent, not the sandbox: a stopped one would no longer show its spool."""
        found = await self._look(key.id or key.name)
        if found is not None and found.reported_state == "started":
            await self._execute(await self._toolbox(found), stop_command())

    async def remove(self, key: Key) -> None:
        """Until it is not found any more."""
        found = await self._look(key.id or key.name)
        if found is not None:
            await until_gone(
                found,
                look=self._look,
                delete=self._delete,
                clock=self._clock,
                sleep=self._sleep,
            )

    async def _make(self, order: Order) -> Sandbox:
        body = self._body(order)
        try:
            return await self._http.post("/sandbox", body, Sandbox, seconds=CREATE_SECONDS)
        except ProviderError as error:
            if "ttlMinutes" not in error.message:
                raise
        del body["ttlMinutes"]
        return await self._http.post("/sandbox", body, Sandbox, seconds=CREATE_SECONDS)

    def _body(self, order: Order) -> dict[str, object]:
        """Auto-stop would end a busy agent: what runs inside is no activity to Daytona."""
        secrets = {
            name: secret
            for name, secret in self._wishes.secrets.items()
            if name not in order.own and is_for(name, order.env)
        }
        body: dict[str, object] = {
            "name": order.key.name,
            "snapshot": order.snapshot,
            "env": {name: value for name, value in order.env.items() if name not in secrets},
            "labels": dict(order.labels),
            "autoStopInterval": 0,
            "autoDeleteInterval": STOPPED_MINUTES,
        }
        if secrets:
            body["secrets"] = [{name: secret} for name, secret in secrets.items()]
        if self._wishes.target is not None:
            body["target"] = self._wishes.target
        if self._wishes.ttl_minutes is not None:
            body["ttlMinutes"] = self._wishes.ttl_minutes
        return body

    async def _made_anyway(self, order: Order, error: ProviderError) -> Sandbox:
        """A create whose answer was lost may have made it, or may still do so."""
        found = await self._look(order.key.name)
        if found is None:
            raise error
        return _ours(order, found)

    async def _holder(self, order: Order, error: ProviderError) -> Sandbox:
        """Who has the name: an earlier call of ours, or somebody else."""
        found = await self._look(order.key.name)
        if found is None or found.state == "destroying":
            raise error
        found = _ours(order, found)
        if found.reported_state in ("error", "stopped"):
            await self.remove(replace(order.key, id=found.id))
            raise unavailable(f"a sandbox of an earlier try was {found.state}, and is deleted")
        return found

    async def _clear(self, order: Order) -> None:
        """What failed to start holds the name."""
        found = await self._look(order.key.name)
        if found is not None and found.labels.items() >= order.labels.items():
            await self.remove(replace(order.key, id=found.id))

    async def _look(self, name: str) -> Sandbox | None:
        return await self._http.find(f"/sandbox/{segment(name)}", Sandbox)

    async def _delete(self, name: str) -> None:
        try:
            await self._http.delete(f"/sandbox/{segment(name)}")
        except Conflict:
            return  # its state is changing, perhaps to what we want; the next look tells

    async def _toolbox(self, sandbox: Sandbox) -> str:
        path = f"/sandbox/{segment(sandbox.id)}/toolbox-proxy-url"
        base = sandbox.toolbox_proxy_url or (await self._http.get(path, ToolboxAddress)).url
        return f"{base.rstrip('/')}/{segment(sandbox.id)}"

    async def _process(self, toolbox: str) -> Process | None:
        """The entrypoint's, which outlives nothing: the sandbox goes on without it."""
        session = await self._http.find(f"{toolbox}/process/session/entrypoint", Session)
        if session is None or not session.commands:
            return None
        code = session.commands[0].exit_code
        if code is None:
            return Process(state="running")
        return Process(state="exited", exit_code=code)

    async def _execute(self, toolbox: str, command: str) -> str:
        body = {"command": command, "timeout": max(EXECUTE_SECONDS, STOP_SECONDS + 3)}
        done = await self._http.post(f"{toolbox}/process/execute", body, Executed)
        if done.exit_code:
            raise refusal(500, f"a command in the sandbox ended with {done.exit_code}")
        return done.result


def _ours(order: Order, found: Sandbox) -> Sandbox:
    if not found.labels.items() >= order.labels.items():
        raise ProviderError(
            "name_taken", "another sandbox has this name in Daytona", retryable=False
        )
    return found
