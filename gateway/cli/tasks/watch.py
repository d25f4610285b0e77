"""`slipgate tasks watch`: a task to its end, with a live header on a terminal."""

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from gateway.cli.console.output import AsJson, CommandFailed, one_line, print_document, printable
from gateway.cli.console.terminal import out
from gateway.cli.console.times import age, now, until
from gateway.cli.http.client import Client, decode, decode_events, open_client
from gateway.cli.http.paths import TaskId, task_path
from gateway.cli.tasks.printing import FREQUENT, event_line, print_task
from gateway.domain.tasks.task import Status
from gateway.wire.tasks import EventView, ExplanationView, TaskView

NEEDS_REVIEW: Final = 3
"""Exit code of a task whose work a person must look at."""
_TAIL: Final = 6
"""Lines of the log below the header."""


class _Chunk(msgspec.Struct, frozen=True):
    chunk: str = ""


class Header:
    """The state of a task in a few lines, drawn again four times a second."""

    def __init__(self, task: TaskView) -> None:
        self.task = task
        self._spinner = Spinner("dots")
        self._log: deque[str] = deque([""], maxlen=_TAIL + 1)

    def note_log(self, event: EventView) -> None:
        """Appends the text of a `task.log` event to the tail."""
        try:
            text = msgspec.json.decode(event.data, type=_Chunk).chunk
        except msgspec.ValidationError:
            return  # an agent may send any shape
        first, *rest = printable(text).split("\n")
        self._log[-1] += first
        self._log.extend(rest)

    def __rich__(self) -> RenderableType:
        self._spinner.update(text=Text(header_line(self.task, now())))
        width = out.width - 2
        tail = [Text(f"  {line[:width]}", style="dim") for line in self._log if line.strip()]
        return Group(self._spinner, *self._lines(width), *tail[-_TAIL:])

    def _lines(self, width: int) -> Iterator[Text]:
        if self.task.message:
            yield Text(f"  {one_line(self.task.message)[:width]}")
        if self.task.next_deadline:
            moment, left = until(self.task.next_deadline.at, now())
            yield Text(f"  next {moment} {left}: {self.task.next_deadline.what}"[:width], "dim")


def header_line(task: TaskView, at: int) -> str:
    """Id, status, stage, turn, cost and age in one line."""
    usage = task.usage
    parts = [task.id, str(task.status), task.stage]
    parts += [f"turn {usage.turns} of {task.agent.max_turns}"] if usage.turns else []
    parts += [f"{usage.cost_usd:.2f} USD"] if usage.cost_usd else []
    return " · ".join(filter(None, (*parts, age(task.created_at, at))))


def watch(task_id: TaskId, as_json: AsJson = False) -> None:
    """Follow a task to its end; exit 1 if it fails, 3 if it needs a review.

    Example: slipgate tasks watch task_01k…

    Example: slipgate tasks watch task_01k… --json
    """
    with open_client() as client:
        watch_task(client, task_id, as_json)


def watch_task(client: Client, task_id: str, as_json: bool) -> None:
    """Prints the events of a task as they come, and its end.

    Raises:
        CommandFailed: it did not complete, or Ctrl-C was pressed.
    """
    path = task_path(task_id)
    if not as_json:
        summary = one_line(explanation(client, task_id).summary)
        out.print(f"{task_id}: {summary}", style="dim")
    try:
        with _header(client, path, as_json) as header:
            for page in client.feed(f"{path}/events", task_id):
                _show(client, path, header, decode_events(page), as_json)
    except KeyboardInterrupt as exc:
        raise CommandFailed(
            "Stopped watching; the task goes on.",
            f"Run `slipgate tasks watch {task_id}` to watch on, `slipgate tasks cancel {task_id}` "
            "to stop it.",
        ) from exc
    answer = client.get(path)
    task = decode(TaskView, answer)
    if as_json:
        print_document(answer)
    else:
        print_task(task, explanation(client, task_id))
    _check_end(task)


def _show(
    client: Client, path: str, header: Header | None, events: tuple[EventView, ...], as_json: bool
) -> None:
    for event in events:
        if header is not None and event.type == "task.log":
            header.note_log(event)
        if not as_json and event.type not in FREQUENT:
            out.print(event_line(event))
    if header is not None:
        header.task = client.retrying(lambda: client.read(TaskView, path))


@contextmanager
def _header(client: Client, path: str, as_json: bool) -> Iterator[Header | None]:
    """The live header on a terminal; elsewhere none."""
    if as_json or not sys.stdout.isatty():
        yield None
        return
    header = Header(client.read(TaskView, path))
    with Live(header, console=out, transient=True):
        client.note = partial(out.print, style="dim")  # it is drawn over what stderr gets
        yield header


def _check_end(task: TaskView) -> None:
    if task.status == Status.COMPLETED:
        return
    if task.status == Status.NEEDS_REVIEW:
        raise CommandFailed(
            "The task needs a review: a person must look at its work.",
            f"Run `slipgate tasks explain {task.id}` for what there is and why.",
            exit_code=NEEDS_REVIEW,
        )
    raise CommandFailed(
        f"The task ended {task.status}.",
        f"Run `slipgate tasks explain {task.id}` for the reason, `slipgate tasks logs "
        f"{task.id}` for the agent's log, `slipgate tasks retry {task.id}` to try it again.",
    )


def explanation(client: Client, task_id: str) -> ExplanationView:
    return client.read(ExplanationView, f"{task_path(task_id)}/explain")
