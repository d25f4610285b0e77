"""Everything that the gateway knows of one attempt, as the files of a run bundle."""

from importlib.metadata import version

import msgspec

from gateway.cli.bundle import archive
from gateway.cli.bundle.archive import FORMAT, Manifest
from gateway.cli.console.output import CommandFailed
from gateway.cli.http.client import Client, EventPage, decode_events
from gateway.cli.http.paths import task_path
from gateway.domain.tasks.task import TERMINAL
from gateway.wire.tasks import EventView, LogChunk, Page, TaskView


class _Created(msgspec.Struct, frozen=True, rename="camel"):
    validate: tuple[tuple[str, ...], ...] | None = None


class _Patch(msgspec.Struct, frozen=True, rename="camel"):
    base_sha: str | None = None
    script_digest: str | None = None


def collect(client: Client, task_id: str) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the files of the newest attempt; raises `CommandFailed`."""
    path = task_path(task_id)
    task = client.read(TaskView, path)
    if task.status not in TERMINAL:
        raise CommandFailed(
            f"The task is {task.status}: its bundle is complete only when it has ended.",
            f"Wait for it: slipgate tasks watch {task_id}",
        )
    events = _events(client, path)
    newest = [event for event in events if event.attempt == task.attempt]
    base_sha = _last(newest, {"task.patch"}).base_sha
    if base_sha is None:
        raise CommandFailed(
            f"Attempt {task.attempt} has sent no patch: there is nothing to bundle.",
            f"See what happened: slipgate tasks explain {task_id}",
        )
    files = {
        archive.PROMPT: task.prompt.encode(),
        archive.PATCH: client.get(f"{path}/patch", attempt=task.attempt),
        archive.RECEIPTS: client.get(f"{path}/receipts", attempt=task.attempt),
        archive.LOG: _log(client, path),
        archive.EVENTS: msgspec.json.encode(newest),
        **_trajectory(client, path, newest),
    }
    return _manifest(task, events, newest, base_sha), files


def _manifest(
    task: TaskView, events: list[EventView], newest: list[EventView], base_sha: str
) -> Manifest:
    created = next((event for event in events if event.type == "task.created"), None)
    asked = msgspec.json.decode(created.data, type=_Created) if created else _Created()
    return Manifest(
        format=FORMAT,
        slipgate=version("slipgate"),
        task_id=task.id,
        attempt=task.attempt,
        status=task.status,
        repo_url=task.repo_url,
        base_sha=base_sha,
        branch_name=task.branch_name,
        commit_sha=task.commit_sha,
        pr_url=task.pr_url,
        agent=task.agent,
        validate=asked.validate,
        snapshot=task.snapshot,
        script_digest=_last(newest, {"task.started"}).script_digest,
        usage=task.usage,
    )


def _events(client: Client, path: str) -> list[EventView]:
    """The events of the task, without the pieces of its texts."""
    found: list[EventView] = []
    after: str | None = "0"
    while True:
        page = client.read(EventPage, f"{path}/events", limit=200, after=after)
        events = decode_events(page)
        if not events:
            return found
        found += [event for event in events if event.type not in {"task.log", "task.trajectory"}]
        after = page.next_cursor


def _last(events: list[EventView], types: set[str]) -> _Patch:
    data = (event.data for event in reversed(events) if event.type in types and event.applied)
    return msgspec.json.decode(next(data, msgspec.Raw(b"{}")), type=_Patch)


def _log(client: Client, path: str) -> bytes:
    text, after = "", "0"
    while True:
        page = client.read(Page[LogChunk], f"{path}/logs", after=after)
        if not page.data:
            return text.encode()
        text += "".join(chunk.chunk for chunk in page.data)
        after = page.next_cursor or after


def _trajectory(client: Client, path: str, events: list[EventView]) -> dict[str, bytes]:
    """Absent for engines that keep no record, and if a part of it has not arrived."""
    try:
        return {archive.TRAJECTORY: client.get(f"{path}/trajectory", attempt=events[0].attempt)}
    except CommandFailed:
        return {}
