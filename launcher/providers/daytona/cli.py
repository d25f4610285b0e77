"""`daytona-cli`: sandboxes by Daytona's command line, in the form that every release since v0.101
takes (`daytona sandbox …`).

The CLI prints success before the sandbox has started, and fails although it made one: whatever it
says, the name is looked up afterwards.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import msgspec

from launcher.client import Clock, Sleep
from launcher.providers.daytona.complaints import NotThere, complaint
from launcher.providers.daytona.documents import INSTANCE_LABEL, Sandbox
from launcher.providers.daytona.http import Conflict
from launcher.providers.daytona.refusals import unavailable
from launcher.providers.daytona.sandboxes import STOPPED_MINUTES, Sandboxes, Wishes, ours
from launcher.providers.daytona.terminal import Terminal
from launcher.providers.protocol import LOG_TAIL, Found, Order, ProviderError

CREATE_SECONDS: Final = 100.0
PAGE: Final = 100
_LOG: Final = (
    f"sh -c 'tail -c {LOG_TAIL} $HOME/.daytona/sessions/entrypoint/entrypoint_command/output.log "
    "2>/dev/null; exit 0'"
)
"""Where the daemon keeps what the entrypoint prints."""


class _Page(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Numbered up to v0.179, with a cursor since."""

    items: tuple[Sandbox, ...]
    next_cursor: str | None = None
    total_pages: int = 1


class DaytonaCli(Sandboxes):
    """Sandboxes of one organisation."""

    name = "daytona-cli"

    def __init__(
        self,
        terminal: Terminal,
        *,
        realm: str,
        wishes: Wishes,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(realm=realm, wishes=wishes, sleep=sleep, clock=clock)
        self._terminal = terminal

    async def create(self, order: Order) -> Found:
        """The name is the idempotency key, and what is found under it is the answer."""
        flags = await self._terminal.flags("sandbox", "create")
        if "name" not in flags:
            message = "this release of Daytona's CLI cannot name a sandbox; v0.110 and later can"
            raise ProviderError("provider_refused", message, retryable=False)
        ran = await self._terminal.ran(
            "sandbox", "create", *self._arguments(order, flags), seconds=CREATE_SECONDS
        )
        found = await self._look(order.key.name)
        if ran.code == 0 and found is None:
            raise unavailable("its CLI says that the sandbox was made, and it is not there")
        if found is None or found.state == "destroying":
            raise complaint(ran)
        return await self._adopted(order, found)

    async def survey(self, instance: str) -> list[Found]:
        """All pages, of which ours are picked: the CLI cannot filter."""
        has_cursor = "cursor" in await self._terminal.flags("sandbox", "list")
        found: list[Found] = []
        number, where = 1, ""
        while True:
            pages = (f"--limit={PAGE}", where) if where else (f"--limit={PAGE}",)
            page = await self._terminal.document(_Page, "sandbox", "list", *pages)
            found += (
                each.found() for each in page.items if each.labels.get(INSTANCE_LABEL) == instance
            )
            number += 1
            if has_cursor and page.next_cursor:
                where = f"--cursor={page.next_cursor}"
            elif not has_cursor and number <= page.total_pages:
                where = f"--page={number}"
            else:
                return found

    def _arguments(self, order: Order, flags: frozenset[str]) -> Iterator[str]:
        """Each with its value in one argument: nothing in a value can become an option."""
        yield f"--name={order.key.name}"
        if order.snapshot:
            yield f"--snapshot={order.snapshot}"
        yield "--auto-stop=0"
        yield f"--auto-delete={STOPPED_MINUTES}"
        if self._wishes.ttl_minutes is not None and "ttl" in flags:
            yield f"--ttl={self._wishes.ttl_minutes}"
        if self._wishes.target is not None:
            yield f"--target={self._wishes.target}"
        yield from (f"--label={name}={value}" for name, value in order.labels.items())
        yield from (f"--env={name}={value}" for name, value in order.env.items())

    async def _adopted(self, order: Order, found: Sandbox) -> Found:
        found = ours(order, found)
        key = replace(order.key, id=found.id)
        if found.reported_state in ("error", "stopped"):
            await self.remove(key)
            why = f": {found.error_reason}" if found.error_reason else ""
            message = f"the sandbox was {found.state}, and is deleted{why}"
            raise ProviderError("sandbox_error", message, retryable=True)
        return replace(found.found(), key=key)

    async def _look(self, name: str) -> Sandbox | None:
        try:
            return await self._terminal.document(Sandbox, "sandbox", "info", name)
        except NotThere:
            return None

    async def _delete(self, name: str) -> None:
        try:
            await self._terminal.run("sandbox", "delete", name)
        except (NotThere, Conflict):
            return  # gone, or changing, perhaps to what we want; the next look tells

    async def _log(self, sandbox: Sandbox) -> str:
        return await self._execute(sandbox, _LOG)

    async def _execute(self, sandbox: Sandbox, command: str) -> str:
        return await self._terminal.run("sandbox", "exec", sandbox.id, "--", command)
