"""`slipgate demo`: one task from POST to pull request here, with a kill in the middle."""

import asyncio
import os
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import httpx
import msgspec
import typer
from rich.rule import Rule
from rich.syntax import Syntax

from gateway.cli.console.output import AsJson, CommandFailed, print_document
from gateway.cli.console.terminal import screen
from gateway.cli.http.replies import (
    GOOD_ENDS,
    Answer,
    EventView,
    FeedPage,
    TaskView,
    WholeTaskView,
)
from gateway.cli.http.transport import open_async_http
from gateway.cli.local.demo_services import StandIns, stand_ins
from gateway.cli.local.processes import (
    GATEWAY,
    LAUNCHER,
    Child,
    free_port,
    stop_on_sigterm,
    wait_until_ready,
    without_slipgate,
)
from gateway.cli.local.state import State
from gateway.cli.local.up import gateway_environ
from gateway.cli.operations.database import summary
from gateway.cli.operations.keys import MintedKey, mint
from gateway.cli.tasks.timeline import HIDDEN, line
from gateway.demo.receiver import Received
from gateway.demo.sample import SLUG
from gateway.store.sqlite.admin.audit import Audit, audit
from gateway.wire.own_process import close_own_process
from gateway.wire.signing import secret_bytes

KILL_AT_TURN: Final = 2
"""The gateway is killed while the agent waits for this answer of the model."""
DOWN_SECONDS: Final = 1.5
TASK_SECONDS: Final = 120.0
SETTLE_SECONDS: Final = 40.0
QUIET: Final = frozenset({"task.heartbeat", "task.log", "task.patch"})


class DemoReport(Answer, frozen=True, kw_only=True):
    """What `demo --json` prints."""

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
    """Events the feed told twice."""
    pending: int


@dataclass(kw_only=True)
class Stage:
    """What the demo runs, and how to reach it."""

    world: StandIns
    gateway: Child
    url: str
    tasks_key: MintedKey
    database: Path
    http: httpx.AsyncClient
    is_quiet: bool

    def say(self, text: str, style: str = "") -> None:
        """One line of the timeline that is not an event."""
        if not self.is_quiet:
            screen.print(f"{time.strftime('%H:%M:%S', time.gmtime())}      ", style="dim", end="")
            screen.print(text, style=style, markup=False)


def demo(
    repo: Annotated[str | None, typer.Option(help="path or URL of another repository")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave it running at the end")] = False,
    as_json: AsJson = False,
) -> None:
    """Run one task from POST to pull request here, with a kill in the middle; nothing is real
    but slipgate, git and the agent: the model and GitHub are stand-ins, the model is scripted."""
    close_own_process()
    folder = Path(tempfile.mkdtemp(prefix="slipgate-demo-"))
    stop_on_sigterm()
    try:
        asyncio.run(_demo(folder, repo, keep=keep, is_quiet=as_json))
    except KeyboardInterrupt:
        screen.print("stopped", style="dim")
    except (CommandFailed, ExceptionGroup) as exc:
        reason = _reason(exc)
        if reason is None:
            raise
        raise CommandFailed(
            reason.message, f"{reason.next_step} Everything is kept in {folder}."
        ) from exc
    shutil.rmtree(folder, ignore_errors=True)


def _reason(error: Exception) -> CommandFailed | None:
    """What failed, out of the groups in which servers and watchers hand it on."""
    if isinstance(error, ExceptionGroup):
        found = (_reason(inner) for inner in error.exceptions)
        return next((reason for reason in found if reason), None)
    return error if isinstance(error, CommandFailed) else None


async def _demo(folder: Path, repo: str | None, *, keep: bool, is_quiet: bool) -> None:
    async with stand_ins(folder, repo) as world:
        state = State(folder / "state")
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environ = {
            **gateway_environ(state, port, public_url=url),
            "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true",
            "SLIPGATE_ALLOW_FILE_REPOS": "true",
            "SLIPGATE_LOG": "json",
        }
        tasks_key = mint(environ, "tasks", "default", "demo")
        world.callback_secret = secret_bytes(tasks_key.callback_secret or "")
        launcher_key = mint(environ, "launcher", "default", "demo").key
        with ExitStack() as stack:
            gateway = Child("gateway", GATEWAY, environ, folder / "gateway.log")
            stack.enter_context(gateway)
            await asyncio.to_thread(wait_until_ready, url, gateway)
            launcher_env = demo_launcher_environ(world, url, launcher_key, state)
            stack.enter_context(Child("launcher", LAUNCHER, launcher_env, folder / "launcher.log"))
            headers = {"authorization": f"Bearer {tasks_key.key}"}
            async with open_async_http(url, headers=headers, timeout=15) as http:
                stage = Stage(
                    world=world,
                    gateway=gateway,
                    url=url,
                    tasks_key=tasks_key,
                    database=state.folder / "slipgate.db",
                    http=http,
                    is_quiet=is_quiet,
                )
                await _play(stage)
                if keep:
                    await _stay(stage)


def demo_launcher_environ(world: StandIns, url: str, key: str, state: State) -> dict[str, str]:
    """The environment of the launcher: the stand-ins, and no key of yours."""
    names = ("OPENAI", "ANTHROPIC", "OPENROUTER", "GITHUB")
    plain = {
        name: value
        for name, value in without_slipgate(os.environ).items()
        if not name.startswith(names)
    }
    return {
        **plain,
        **world.launcher_environ,
        "SLIPGATE_URL": url,
        "SLIPGATE_API_KEY": key,
        "SLIPGATE_PROVIDERS": "local",
        "SLIPGATE_LAUNCHER_STATE": str(state.folder / "launcher"),
        "SLIPGATE_HIDDEN": str(state.folder),
        "SLIPGATE_LOG": "json",
    }


async def _play(stage: Stage) -> None:
    if not stage.is_quiet:
        screen.print(Rule("slipgate demo: the model is scripted, GitHub is a stand-in"))
    began = time.perf_counter()
    response = await stage.http.post(
        "/v1/tasks",
        json={
            "repoUrl": stage.world.subject.bare.as_uri(),
            "prompt": stage.world.subject.prompt,
            "callbackUrl": f"{stage.world.receiver_url}/hook",
        },
    )
    accepted_ms = (time.perf_counter() - began) * 1000
    if response.status_code != 202:
        raise CommandFailed(f"POST /v1/tasks: {response.text}", "Report this.")
    task = msgspec.json.decode(response.content, type=TaskView)
    stage.say(f"accepted in {accepted_ms:.1f} ms: {task.id}", "cyan")
    try:
        async with asyncio.timeout(TASK_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(_kill(stage))
            following = group.create_task(_follow(stage, task.id))
        events = following.result()
    except TimeoutError as exc:
        raise CommandFailed(
            f"The task did not end within {TASK_SECONDS:.0f} s.", "Look at launcher.log."
        ) from exc
    await _conclude(stage, task.id, events, accepted_ms)


async def _kill(stage: Stage) -> None:
    """kill -9 in the middle of the agent's work, and the return."""
    while stage.world.model.answered < KILL_AT_TURN:  # noqa: ASYNC110 - a plain counter
        await asyncio.sleep(0.05)
    await asyncio.to_thread(stage.gateway.kill)
    stage.say("kill -9 of the gateway, on purpose; the agent goes on and keeps its word", "red")
    await asyncio.sleep(DOWN_SECONDS)
    stage.gateway.start()
    await asyncio.to_thread(wait_until_ready, stage.url, stage.gateway)
    stage.say("the gateway is back and goes on where it was", "green")


async def _follow(stage: Stage, task_id: str) -> list[EventView]:
    """The task's events, shown as they come; an absent gateway is waited for."""
    seen: list[EventView] = []
    after = 0
    while True:
        try:
            status = (await _task(stage, task_id)).status
            query: dict[str, str | int] = {"after": after, "wait": 1, "limit": 200}
            answer = await stage.http.get(f"/v1/tasks/{task_id}/events", params=query)
            answer.raise_for_status()
        except httpx.HTTPError:
            await asyncio.sleep(0.1)
            continue
        page = msgspec.json.decode(answer.content, type=FeedPage)
        after = int(page.next_cursor)
        for event in page.events:
            seen.append(event)
            if not stage.is_quiet and event.type not in HIDDEN:
                screen.print(line(event))
        if TaskView(id=task_id, status=status).is_over and not page.data:
            return seen


async def _task(stage: Stage, task_id: str) -> TaskView:
    answer = await stage.http.get(f"/v1/tasks/{task_id}")
    answer.raise_for_status()
    return msgspec.json.decode(answer.content, type=TaskView)


async def _conclude(
    stage: Stage, task_id: str, events: list[EventView], accepted_ms: float
) -> None:
    task = await _task(stage, task_id)
    # A repository that declares no check ends in needs_review: that is as good as it can be.
    wanted = {"completed"} if stage.world.subject.slug == SLUG else GOOD_ENDS
    if task.status not in wanted:
        why = f"{task.error.code}: {task.error.message}" if task.error else task.message or ""
        raise CommandFailed(f"The task ended {task.status}. {why}", "Look at launcher.log.")
    heard = await _last_webhook(stage, task.status)
    found = await _settled(stage)
    superseded = await _superseded(stage, task_id)
    owed = {
        event.seq
        for event in events
        if event.applied and event.type not in QUIET and event.id not in superseded
    }
    lost = len(owed) - len({_seq(one) for one in stage.world.receiver.received} & owed)
    duplicate = len(events) - len({event.seq for event in events})
    patch = (await stage.http.get(f"/v1/tasks/{task_id}/patch")).text
    report = DemoReport(
        ok=not (found.problems or lost or duplicate or found.pending),
        task_id=task_id,
        status=task.status,
        accepted_ms=round(accepted_ms, 1),
        pr_url=task.pr_url,
        webhooks=len(stage.world.receiver.received),
        events=found.events,
        lost=lost,
        duplicate=duplicate,
        pending=found.pending,
    )
    if stage.is_quiet:
        print_document(report)
    else:
        _show(stage, heard, patch, report, found)
    if not report.ok:
        raise CommandFailed(
            f"{summary(found)}; {lost} webhooks lost.\n" + "\n".join(found.problems), "Report it."
        )


async def _superseded(stage: Stage, task_id: str) -> set[str]:
    """Events that were never sent, because a newer one of their kind took their place."""
    answer = await stage.http.get(f"/v1/tasks/{task_id}", params={"include": "deliveries"})
    answer.raise_for_status()
    task = msgspec.json.decode(answer.content, type=WholeTaskView)
    return {owed.event_id for owed in task.deliveries or () if owed.status == "superseded"}


async def _last_webhook(stage: Stage, status: str) -> Received:
    try:
        return await stage.world.receiver.wait_for(
            lambda one: one.type == f"task.{status}", seconds=SETTLE_SECONDS
        )
    except TimeoutError as exc:
        raise CommandFailed(
            "The webhook of the end did not arrive.", "Look at gateway.log."
        ) from exc


async def _settled(stage: Stage) -> Audit:
    """The audit once nothing is pending, or after some time as it is."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        found = await asyncio.to_thread(audit, stage.database)
        if not found.pending or time.monotonic() > end:
            return found
        await asyncio.sleep(0.1)


class _Numbered(msgspec.Struct, frozen=True):
    seq: int


class _Data(msgspec.Struct, frozen=True):
    event: _Numbered


class _Body(msgspec.Struct, frozen=True):
    data: _Data


def _seq(received: Received) -> int:
    return msgspec.json.decode(received.body, type=_Body).data.event.seq


def _show(stage: Stage, heard: Received, patch: str, report: DemoReport, found: Audit) -> None:
    screen.print(Rule("what the agent changed"))
    screen.print(Syntax(patch, "diff", background_color="default"))
    pull = stage.world.pull
    if pull is not None:
        screen.print(Rule("the draft pull request"))
        screen.print(f"{pull.title}  ({pull.html_url})", markup=False, style="bold")
        screen.print(pull.body or "", markup=False)
    screen.print(Rule("the frontend's webhook"))
    screen.print(f"{heard.type}  {heard.id}  signature verified", style="green", markup=False)
    screen.print(Rule("slipgate verify"))
    resent = stage.world.receiver.duplicates
    screen.print(
        f"{found.events} events, {report.lost} lost, {report.duplicate} duplicate, "
        f"{found.pending} pending"
        + (f" ({resent} webhooks came twice and were known by their id)" if resent else ""),
        style="green" if report.ok else "red",
    )
    screen.print("Next: `slipgate up` starts it for real use; README.md says how.", markup=False)


async def _stay(stage: Stage) -> None:
    screen.print(f"export SLIPGATE_URL={stage.url}", markup=False)
    screen.print(f"export SLIPGATE_API_KEY={stage.tasks_key.key}", markup=False)
    screen.print(f"callback secret: {stage.tasks_key.callback_secret}", markup=False)
    screen.print("It runs until Ctrl-C.", style="dim")
    while True:
        stage.gateway.check()
        await asyncio.sleep(0.5)
