"""`daytona-cli`: sandboxes by Daytona's command line, v0.135 and later (`daytona sandbox …`).

Earlier releases have no `sandbox exec`, print help instead and call it a success: with them nothing
is made; what was made before is still found and destroyed. The CLI prints success before the
sandbox has started, and fails although it made one: whatever it says, the name is looked up
afterwards.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from launcher.client import Clock, Sleep
from launcher.providers.daytona.cli_client import Terminal
from launcher.providers.daytona.cli_errors import complaint, failure_of_command
from launcher.providers.daytona.errors import (
    Conflict,
    NotThere,
    is_about_lifespan,
    unavailable,
)
from launcher.providers.daytona.sandboxes import (
    EXECUTE_SECONDS,
    STOPPED_MINUTES,
    Sandboxes,
    Wishes,
    ours,
)
from launcher.providers.daytona.schema import (
    INSTANCE_LABEL,
    LISTED,
    Sandbox,
    Snapshot,
    page_of,
)
from launcher.providers.program import Ran
from launcher.providers.protocol import Found, Order, ProviderError

CREATE_SECONDS: Final = 100.0
PAGE: Final = 100


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
        await self._terminal.check_release()
        ttl = self._wishes.ttl_minutes
        if "ttl" not in await self._terminal.flags("sandbox", "create"):
            ttl = None
        ran, found = await self._make(order, ttl)
        if found is None and ttl is not None and ran.code and is_about_lifespan(complaint(ran)):
            ran, found = await self._make(order, None)
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
            page = page_of(await self._terminal.document(LISTED, "sandbox", "list", *pages))
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

    async def _make(self, order: Order, ttl: int | None) -> tuple[Ran, Sandbox | None]:
        ran = await self._terminal.ran(
            "sandbox", "create", *self._arguments(order, ttl), seconds=CREATE_SECONDS
        )
        found = await self._look(order.key.name)
        return ran, None if found is None or found.is_gone else found

    def _arguments(self, order: Order, ttl: int | None) -> Iterator[str]:
        """Each with its value in one argument: nothing in a value can become an option."""
        yield f"--name={order.key.name}"
        if order.snapshot:
            yield f"--snapshot={order.snapshot}"
        yield "--auto-stop=0"
        yield f"--auto-delete={STOPPED_MINUTES}"
        if ttl is not None:
            yield f"--ttl={ttl}"
        if self._wishes.target is not None:
            yield f"--target={self._wishes.target}"
        yield from (f"--label={name}={value}" for name, value in order.labels.items())
        yield from (f"--env={name}={value}" for name, value in order.env.items())

    async def _adopted(self, order: Order, found: Sandbox) -> Found:
        found = ours(order, found)
        key = replace(order.key, id=found.id, snapshot=order.snapshot)
        if found.reported_state in ("error", "stopped"):
            await self.remove(key)
            why = f": {found.error_reason}" if found.error_reason else ""
            message = f"the sandbox was {found.state}, and is deleted{why}"
            raise ProviderError("sandbox_error", message, retryable=True)
        return await self._described(found, key)

    async def _look(self, name: str) -> Sandbox | None:
        try:
            return await self._terminal.document(Sandbox, "sandbox", "info", name)
        except NotThere:
            return None

    async def _snapshot(self, id_or_name: str) -> Snapshot | None:
        """The CLI shows none alone, so all are listed."""
        number = 1
        while True:
            page = (f"--limit={PAGE}", f"--page={number}")
            listed = await self._terminal.document(tuple[Snapshot, ...], "snapshot", "list", *page)
            for each in listed:
                if id_or_name in (each.id, each.name):
                    return each
            if len(listed) < PAGE:
                return None
            number += 1

    async def _delete(self, name: str) -> None:
        try:
            await self._terminal.run("sandbox", "delete", name)
        except (NotThere, Conflict):
            return  # gone, or changing, perhaps to what we want; the next look tells

    async def _execute(
        self, sandbox: Sandbox, command: str, *, seconds: int = EXECUTE_SECONDS
    ) -> str:
        await self._terminal.check_release()
        limit = f"--timeout={seconds}"
        ran = await self._terminal.ran("sandbox", "exec", limit, sandbox.id, "--", command)
        if ran.code != 0:
            raise failure_of_command(ran)
        return ran.out
