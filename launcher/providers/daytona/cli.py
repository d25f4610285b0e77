"""`daytona-cli`: sandboxes by Daytona's command line, v0.135 and later (`daytona sandbox …`).

Earlier releases have no `sandbox exec`, print help instead and exit with 0: with them no sandbox is
created, but existing ones are found and destroyed. The CLI prints success before the sandbox has
started, and fails although it created one: whatever it prints, the name is looked up afterwards.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from launcher.providers.daytona.cli_client import DaytonaCliClient
from launcher.providers.daytona.cli_errors import cli_error, exec_error
from launcher.providers.daytona.errors import Conflict, NotThere, unavailable
from launcher.providers.daytona.sandboxes import (
    EXECUTE_SECONDS,
    START_SECONDS,
    Sandboxes,
    check_owner,
    relaxed,
)
from launcher.providers.daytona.schema import LISTED, Sandbox, Snapshot, page_of
from launcher.providers.program import CommandResult
from launcher.providers.protocol import INSTANCE_LABEL, ProviderError, SandboxSpec, SandboxStatus

CREATE_SECONDS: Final = 100.0
PAGE: Final = 100
_LIMITS: Final = {
    "autoStopInterval": "auto-stop",
    "autoDeleteInterval": "auto-delete",
    "ttlMinutes": "ttl",
}
"""Field of the API → flag."""


class DaytonaCli(Sandboxes[DaytonaCliClient]):
    name = "daytona-cli"

    async def create(self, spec: SandboxSpec) -> SandboxStatus:
        """The name is the idempotency key: the sandbox that has it is the result."""
        await self.client.check_release()
        limits = self._limits()
        if "ttl" not in await self.client.flags("sandbox", "create"):
            limits.pop("ttlMinutes", None)
        result, found = await self._make(spec, limits)
        while found is None and result.code:
            if (fewer := relaxed(limits, cli_error(result))) is None:
                break
            limits = fewer
            result, found = await self._make(spec, limits)
        if result.code == 0 and found is None:
            raise unavailable("its CLI says that the sandbox was made, and it is not there")
        if found is None or found.state == "destroying":
            raise cli_error(result)
        return await self._adopt(spec, found)

    async def list_sandboxes(self, instance: str) -> list[SandboxStatus]:
        """Filters all pages, because the CLI cannot."""
        has_cursor = "cursor" in await self.client.flags("sandbox", "list")
        found: list[SandboxStatus] = []
        number, page_option = 1, ""
        while True:
            options = filter(None, (f"--limit={PAGE}", page_option))
            page = page_of(await self.client.document(LISTED, "sandbox", "list", *options))
            found += (
                each.sandbox_status()
                for each in page.items
                if each.labels.get(INSTANCE_LABEL) == instance
            )
            number += 1
            cursor_option = f"--cursor={page.next_cursor}"
            if has_cursor and page.next_cursor and page_option != cursor_option:
                page_option = cursor_option
            elif not has_cursor and number <= page.total_pages:
                page_option = f"--page={number}"
            else:
                return found

    async def _make(
        self, spec: SandboxSpec, limits: Mapping[str, int]
    ) -> tuple[CommandResult, Sandbox | None]:
        result = await self.client.try_run(
            "sandbox", "create", *self._arguments(spec, limits), seconds=CREATE_SECONDS
        )
        found = await self._fetch_by_name(spec.key.name)
        return result, None if found is None or found.is_gone else found

    def _arguments(self, spec: SandboxSpec, limits: Mapping[str, int]) -> Iterator[str]:
        """Each value in the argument of its option, so that none can become an option."""
        yield f"--name={spec.key.name}"
        if spec.snapshot:
            yield f"--snapshot={spec.snapshot}"
        yield from (f"--{_LIMITS[name]}={value}" for name, value in limits.items())
        if self.options.target is not None:
            yield f"--target={self.options.target}"
        yield from (f"--label={name}={value}" for name, value in spec.labels.items())
        yield from (f"--env={name}={value}" for name, value in spec.env.items())

    async def _adopt(self, spec: SandboxSpec, found: Sandbox) -> SandboxStatus:
        found = check_owner(spec, found)
        key = replace(spec.key, id=found.id, snapshot=spec.snapshot)
        if found.reported_state == "error":
            await self.remove(key)
            why = f": {found.error_reason}" if found.error_reason else ""
            message = f"the sandbox was {found.state}, and is deleted{why}"
            raise ProviderError("sandbox_error", message, retryable=True)
        return await self._describe(found, key)

    async def _fetch_by_name(self, id_or_name: str) -> Sandbox | None:
        try:
            return await self.client.document(Sandbox, "sandbox", "info", id_or_name)
        except NotThere:
            return None

    async def _snapshot(self, id_or_name: str) -> Snapshot | None:
        """Lists all, because the CLI shows none alone."""
        number = 1
        while True:
            page = (f"--limit={PAGE}", f"--page={number}")
            listed = await self.client.document(tuple[Snapshot, ...], "snapshot", "list", *page)
            for each in listed:
                if id_or_name in (each.id, each.name):
                    return each
            if len(listed) < PAGE:
                return None
            number += 1

    async def _start(self, name: str) -> None:
        """Refused for a release with which the agent could not be ended again."""
        await self.client.check_release()
        with suppress(Conflict):
            await self.client.run("sandbox", "start", name, seconds=START_SECONDS)

    async def _delete(self, name: str) -> None:
        try:
            await self.client.run("sandbox", "delete", name)
        except (NotThere, Conflict):
            return  # gone, or its state is changing; the next poll shows it

    async def _execute(
        self, sandbox: Sandbox, command: str, *, seconds: int = EXECUTE_SECONDS
    ) -> str:
        await self.client.check_release()
        limit = f"--timeout={seconds}"
        result = await self.client.try_run("sandbox", "exec", limit, sandbox.id, "--", command)
        if result.code != 0:
            raise exec_error(result)
        return result.out
