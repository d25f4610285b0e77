"""`daytona-api`: sandboxes by Daytona's REST API."""

from contextlib import suppress
from dataclasses import replace
from typing import Final

import msgspec

from launcher.providers.daytona.api_client import DaytonaApiClient, segment
from launcher.providers.daytona.errors import (
    Conflict,
    Unanswered,
    command_failed,
    unanswered,
    unavailable,
)
from launcher.providers.daytona.sandboxes import (
    EXECUTE_SECONDS,
    START_SECONDS,
    Sandboxes,
    check_owner,
    relaxed,
)
from launcher.providers.daytona.schema import (
    LISTED,
    Executed,
    Sandbox,
    Snapshot,
    ToolboxAddress,
    page_of,
)
from launcher.providers.protocol import INSTANCE_LABEL, ProviderError, SandboxSpec, SandboxStatus
from launcher.sandbox_env import is_for

PAGE: Final = "200"


class DaytonaApi(Sandboxes[DaytonaApiClient]):
    name = "daytona-api"

    async def create(self, spec: SandboxSpec) -> SandboxStatus:
        """The name is the idempotency key: an unclear result is looked up by it."""
        try:
            made = await self._make(spec)
        except Unanswered as error:
            made = await self._find_created(spec, error)
        except Conflict as error:
            made = await self._adopt(spec, error)
        except ProviderError as error:
            if error.code == "sandbox_error":
                await self._remove_failed(spec)
            raise
        if made.snapshot is None:
            made = await self.client.get(f"/sandbox/{segment(made.id)}", Sandbox)
        return await self._describe(made, replace(spec.key, snapshot=spec.snapshot))

    async def list_sandboxes(self, instance: str) -> list[SandboxStatus]:
        """Eventually consistent: look up by id before acting on it."""
        query = {"labels": msgspec.json.encode({INSTANCE_LABEL: instance}).decode(), "limit": PAGE}
        found: list[SandboxStatus] = []
        while True:
            page = page_of(await self.client.get("/sandbox", LISTED, query=query))
            found += (each.sandbox_status() for each in page.items)
            if not page.next_cursor or page.next_cursor == query.get("cursor"):
                return found
            query = {**query, "cursor": page.next_cursor}

    async def _make(self, spec: SandboxSpec) -> Sandbox:
        body, limits = self._body(spec), self._limits()
        while True:
            try:
                return await self.client.create("/sandbox", {**body, **limits}, Sandbox)
            except ProviderError as error:
                if (fewer := relaxed(limits, error)) is None:
                    raise
            limits = fewer

    def _body(self, spec: SandboxSpec) -> dict[str, object]:
        secrets = {
            name: secret
            for name, secret in self.options.secrets.items()
            if name not in spec.job_env and is_for(name, spec.env)
        }
        body: dict[str, object] = {
            "name": spec.key.name,
            "snapshot": spec.snapshot,
            "env": {name: value for name, value in spec.env.items() if name not in secrets},
            "labels": dict(spec.labels),
        }
        if secrets:
            body["secrets"] = [{name: secret} for name, secret in secrets.items()]
        if self.options.target is not None:
            body["target"] = self.options.target
        return body

    async def _find_created(self, spec: SandboxSpec, error: ProviderError) -> Sandbox:
        """The sandbox of a create whose answer was lost; else raises `error`."""
        found = await self._fetch_by_name(spec.key.name)
        if found is None or found.is_gone:
            raise error
        return check_owner(spec, found)

    async def _adopt(self, spec: SandboxSpec, error: ProviderError) -> Sandbox:
        """The sandbox of an earlier call; else raises `error`."""
        found = await self._fetch_by_name(spec.key.name)
        if found is None or found.state == "destroying" or found.is_gone:
            raise error
        found = check_owner(spec, found)
        if found.reported_state == "error":
            await self.remove(replace(spec.key, id=found.id))
            raise unavailable(f"a sandbox of an earlier try was {found.state}, and is deleted")
        return found

    async def _remove_failed(self, spec: SandboxSpec) -> None:
        """Removes a sandbox that failed to start, for it holds the name."""
        found = await self._fetch_by_name(spec.key.name)
        if found is not None and found.labels.items() >= spec.labels.items():
            await self.remove(replace(spec.key, id=found.id))

    async def _fetch_by_name(self, id_or_name: str) -> Sandbox | None:
        return await self.client.find(f"/sandbox/{segment(id_or_name)}", Sandbox)

    async def _snapshot(self, id_or_name: str) -> Snapshot | None:
        return await self.client.find(f"/snapshots/{segment(id_or_name)}", Snapshot)

    async def _start(self, name: str) -> None:
        with suppress(Conflict):
            path = f"/sandbox/{segment(name)}/start"
            await self.client.post(path, None, Sandbox, seconds=START_SECONDS)

    async def _delete(self, name: str) -> None:
        try:
            await self.client.delete(f"/sandbox/{segment(name)}")
        except Conflict:
            return  # its state is changing; the next poll shows it

    async def _execute(
        self, sandbox: Sandbox, command: str, *, seconds: int = EXECUTE_SECONDS
    ) -> str:
        body = {"command": command, "timeout": seconds}
        path = f"{await self._toolbox(sandbox)}/process/execute"
        try:
            done = await self.client.post(path, body, Executed, seconds=seconds + 10)
        except ProviderError as error:
            # Of its proxy or its daemon: no status of theirs is final, and work may lie there.
            raise error if error.retryable else unanswered(error.message) from error
        if done.exit_code:
            raise command_failed(done.exit_code, done.result or "")
        return done.result or ""

    async def _toolbox(self, sandbox: Sandbox) -> str:
        path = f"/sandbox/{segment(sandbox.id)}/toolbox-proxy-url"
        base = sandbox.toolbox_proxy_url or (await self.client.get(path, ToolboxAddress)).url
        return f"{base.rstrip('/')}/{segment(sandbox.id)}"
