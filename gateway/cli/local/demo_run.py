"""One run of the demo: a task from POST to pull request, with a kill of the gateway."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import msgspec
from rich.rule import Rule
from rich.syntax import Syntax

from gateway.cli.console.output import CommandFailed, print_document
from gateway.cli.console.terminal import out
from gateway.cli.http.client import SUCCESSFUL, EventPage, decode, decode_events
from gateway.cli.local.demo_services import DemoServices
from gateway.cli.local.processes import Child, wait_until_ready
from gateway.cli.operations.database import summary
from gateway.cli.tasks.printing import FREQUENT, event_line
from gateway.demo.receiver import Received
from gateway.demo.sample import SLUG
from gateway.domain.tasks.task import TERMINAL
from gateway.store.sql.admin.audit import Audit
from gateway.store.sqlite.admin.audit import audit
from gateway.wire.keys import NewKeyView
from gateway.wire.message import Reply
from gateway.wire.tasks import EventView, Notice, TaskView, WholeTaskView

KILL_AT_TURN: Final = 2
"""The gateway is killed while the agent waits for this answer of the model."""
DOWN_SECONDS: Final = 1.5
TASK_SECONDS: Final = 120.0
SETTLE_SECONDS: Final = 40.0
UNSENT: Final = frozenset({"task.heartbeat", "task.log", "task.patch", "task.trajectory"})
"""Types of events that callbacks do not get."""


class DemoReport(Reply, frozen=True, kw_only=True):
    """The JSON of `demo`."""

    ok: bool
    task_id: str
    status: str
    accepted_ms: float
    pr_url: str | None
    webhooks: int
    events: int
    lost: int
    """Events of the feed whose webhook did not arrive."""
    duplicate: int
    """Events that the feed showed twice."""
    pending: int


@dataclass(kw_only=True)
class DemoRun:
    """The running programs, and one task that passes through them."""

    services: DemoServices
    gateway: Child
    url: str
    tasks_key: NewKeyView
    database: Path
    http: httpx.AsyncClient
    is_quiet: bool
    task_id: str = ""
    accepted_ms: float = 0.0
    events: list[EventView] = field(default_factory=list)

    async def run(self) -> None:
        """Runs the task, kills the gateway meanwhile, and checks what came of it.

        Raises:
            CommandFailed: the task did not end well, or something was lost.
        """
        if not self.is_quiet:
            out.print(Rule("slipgate demo: the model is scripted, GitHub is a fake"))
        await self._create()
        try:
            async with asyncio.timeout(TASK_SECONDS), asyncio.TaskGroup() as group:
                kill = group.create_task(self._kill())
                await self._follow()
                if self.services.model.answered < KILL_AT_TURN:
                    kill.cancel()  # the task has ended before there was anything to kill
        except TimeoutError as exc:
            raise CommandFailed(
                f"The task did not end within {TASK_SECONDS:.0f} s.", "Look at `launcher.log`."
            ) from exc
        await self._conclude()

    async def stay(self, dashboard: str) -> None:
        """Prints how to reach the gateway, and waits until it ends."""
        out.print(f"dashboard, by a link that logs in once: {dashboard}", soft_wrap=True)
        out.print(f"export SLIPGATE_URL={self.url}")
        out.print(f"export SLIPGATE_API_KEY={self.tasks_key.key}")
        out.print(f"callback secret: {self.tasks_key.callback_secret}")
        out.print("It runs until Ctrl-C.", style="dim")
        while True:
            self.gateway.check()
            await asyncio.sleep(0.5)

    def _print(self, text: str, style: str) -> None:
        """A line of the timeline that is not an event."""
        if not self.is_quiet:
            out.print(f"{time.strftime('%H:%M:%S', time.gmtime())}      ", style="dim", end="")
            out.print(text, style=style)

    async def _create(self) -> None:
        subject = self.services.subject
        wanted = {
            "repoUrl": subject.bare.as_uri(),
            "prompt": subject.prompt,
            "callbackUrl": f"{self.services.receiver_url}/hook",
        }
        began = time.perf_counter()
        response = await self.http.post("/v1/tasks", json=wanted)
        self.accepted_ms = (time.perf_counter() - began) * 1000
        if response.status_code != 202:
            raise CommandFailed(f"POST /v1/tasks: {response.text}", "Report this.")
        self.task_id = decode(TaskView, response.content).id
        self._print(f"accepted in {self.accepted_ms:.1f} ms: {self.task_id}", "cyan")

    async def _kill(self) -> None:
        """Kills the gateway in the middle of the agent's work, and starts it again."""
        while self.services.model.answered < KILL_AT_TURN:  # noqa: ASYNC110 - a plain counter
            await asyncio.sleep(0.05)
        await asyncio.to_thread(self.gateway.kill)
        self._print("kill -9 of the gateway, on purpose; the agent goes on and spools", "red")
        await asyncio.sleep(DOWN_SECONDS)
        self.gateway.start()
        await asyncio.to_thread(wait_until_ready, self.url, self.gateway)
        self._print("the gateway is back and goes on where it was", "green")

    async def _follow(self) -> None:
        """Collects the task's events as they come, and waits while the gateway is down."""
        after: str | None = "0"
        while True:
            try:
                task = await self._task()
                query = {"after": after, "wait": 1, "limit": 200}
                answer = await self._get("/events", query)
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
                continue
            page = decode(EventPage, answer)
            after = page.next_cursor
            for event in decode_events(page):
                self.events.append(event)
                if not self.is_quiet and event.type not in FREQUENT:
                    out.print(event_line(event))
            if task.status in TERMINAL and not page.data:
                return

    async def _task(self) -> WholeTaskView:
        return decode(WholeTaskView, await self._get("", {"include": "deliveries"}))

    async def _get(self, path: str, query: dict[str, str | int | None] | None = None) -> bytes:
        answer = await self.http.get(f"/v1/tasks/{self.task_id}{path}", params=query)
        return answer.raise_for_status().content

    async def _conclude(self) -> None:
        ended = await self._task()
        # A repository that declares no check ends in needs_review: that is as good as it can be.
        wanted = {"completed"} if self.services.subject.slug == SLUG else SUCCESSFUL
        if ended.status not in wanted:
            error = ended.error
            why = f"{error.code}: {error.message}" if error else ended.message or ""
            raise CommandFailed(f"The task ended {ended.status}. {why}", "Look at `launcher.log`.")
        webhook = await self._last_webhook(ended.status)
        found = await self._settled()
        report = self._report(await self._task(), found)
        if self.is_quiet:
            print_document(report)
        else:
            self._show(webhook, (await self._get("/patch")).decode(), report)
        if not report.ok:
            raise CommandFailed(
                f"{summary(found)}; {report.lost} webhooks lost.\n" + "\n".join(found.problems),
                "Report it.",
            )

    async def _last_webhook(self, status: str) -> Received:
        try:
            return await self.services.receiver.wait_for(
                lambda one: one.type == f"task.{status}", seconds=SETTLE_SECONDS
            )
        except TimeoutError as exc:
            raise CommandFailed(
                "The webhook of the end did not arrive.", "Look at `gateway.log`."
            ) from exc

    async def _settled(self) -> Audit:
        """The audit once nothing is pending, or after some time as it is."""
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            found = await asyncio.to_thread(audit, self.database)
            if not found.pending or time.monotonic() > end:
                return found
            await asyncio.sleep(0.1)

    def _report(self, task: WholeTaskView, found: Audit) -> DemoReport:
        received = self.services.receiver.received
        lost = len(self._expected(task) - {_seq(webhook) for webhook in received})
        duplicate = len(self.events) - len({event.seq for event in self.events})
        return DemoReport(
            ok=not (found.problems or lost or duplicate or found.pending),
            task_id=self.task_id,
            status=task.status,
            accepted_ms=round(self.accepted_ms, 1),
            pr_url=task.pr_url,
            webhooks=len(received),
            events=found.events,
            lost=lost,
            duplicate=duplicate,
            pending=found.pending,
        )

    def _expected(self, task: WholeTaskView) -> set[int]:
        """Numbers of the events whose webhook must arrive; a newer event may supersede one."""
        deliveries = task.deliveries or ()
        superseded = {each.event_id for each in deliveries if each.status == "superseded"}
        return {
            event.seq
            for event in self.events
            if event.applied and event.type not in UNSENT and event.id not in superseded
        }

    def _show(self, webhook: Received, patch: str, report: DemoReport) -> None:
        out.print(Rule("the agent's changes"))
        out.print(Syntax(patch, "diff", background_color="default"))
        pull = self.services.pull
        if pull is not None:
            out.print(Rule("the draft pull request"))
            out.print(f"{pull.title}  ({pull.html_url})", style="bold")
            out.print(pull.body or "")
        out.print(Rule("the frontend's webhook"))
        out.print(f"{webhook.type}  {webhook.id}  signature verified", style="green")
        out.print(Rule("slipgate verify"))
        resent = self.services.receiver.duplicates
        out.print(
            f"{report.events} events, {report.lost} lost, {report.duplicate} duplicate, "
            f"{report.pending} pending"
            + (f" ({resent} of the webhooks came twice, known by their id)" if resent else ""),
            style="green" if report.ok else "red",
        )
        out.print("Next: `slipgate init` sets it up for real use, with your keys and repository.")


def _seq(webhook: Received) -> int:
    return msgspec.json.decode(webhook.body, type=Notice).data.event.seq
