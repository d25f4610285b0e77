"""Tasks, explanations and events, written for people."""

from collections.abc import Iterable
from typing import Final

import msgspec
from rich.table import Table
from rich.text import Text

from gateway.cli.console.output import one_line
from gateway.cli.console.terminal import out, print_fields, print_table, print_wide
from gateway.cli.console.times import local, local_time, now, until, zone, zoned
from gateway.domain.tasks.event_words import event_words
from gateway.domain.tasks.task import Status
from gateway.wire.deliveries import DeliveryAttemptView, DeliveryView
from gateway.wire.endpoints import EndpointStateView
from gateway.wire.tasks import (
    AttemptView,
    EventView,
    ExplanationView,
    ReceiptsView,
    ReceiptView,
    TaskView,
    WholeTaskView,
)

FREQUENT: Final = frozenset(
    {"task.heartbeat", "task.usage", "task.log", "task.patch", "task.trajectory"}
)
"""Types of events that are left out where a task is watched: there are too many of them."""
_MESSAGE: Final = 300
"""Characters of an event's text in a line."""
_STYLES: Final = {
    "task.created": "cyan",
    "task.completed": "bold green",
    "task.needs_review": "bold yellow",
    "task.failed": "bold red",
    "task.timed_out": "bold red",
    "task.cancelled": "bold red",
    "task.expired": "bold red",
    "task.stalled": "yellow",
    "task.pr_created": "green",
    "endpoint.failing": "yellow",
    "endpoint.disabled": "bold red",
    "endpoint.recovered": "green",
}


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _EventData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The fields of an event's data that its line shows."""

    stage: str | None = None
    message: str | None = None
    summary: str | None = None
    code: str | None = None
    pr_url: str | None = None
    error: _Error | None = None
    endpoint: object = None


def print_task(task: TaskView, why: ExplanationView) -> None:
    """Prints how a task stands, in a sentence, and its fields."""
    out.print(one_line(why.summary))
    sandbox, usage = task.sandbox, task.usage
    # A retry by hand goes past the limit, which binds automatic ones.
    limit = f" of {task.max_attempts}" if task.attempt <= task.max_attempts else ""
    print_fields(
        {
            "task": task.id,
            "title": task.title,
            "status": f"{task.status} (attempt {task.attempt}{limit})",
            "flag": task.flag.code if task.flag else None,
            "repository": task.repo_url,
            "branch": task.branch_name if _may_have_branch(task) else None,
            "pull request": task.pr_url,
            "message": task.message,
            "error": f"{task.error.code}: {task.error.message}" if task.error else None,
            "sandbox": f"{sandbox.name} {sandbox.state} at {sandbox.provider}" if sandbox else None,
            "usage": f"{usage.turns} turns, {usage.cost_usd:.2f} USD" if usage.turns else None,
            "created": zoned(task.created_at),
            "started": zoned(task.started_at),
            "finished": zoned(task.finished_at),
        }
    )
    for warning in task.warnings:
        out.print(f"{'warning':<13} {one_line(warning)}")


def _may_have_branch(task: TaskView) -> bool:
    """False if the task waits for a person who would look for a branch in vain."""
    return task.status != Status.NEEDS_REVIEW or bool(task.commit_sha or task.pr_url)


def print_included(task: WholeTaskView) -> None:
    """Prints the attempts and deliveries of a task, if they were asked for."""
    if task.attempts is not msgspec.UNSET:
        out.print(f"\nattempts ({zone()})", style="bold")
        names = ("", "status", "provider", "opened", "started", "ended", "turns", "error")
        print_table(names, map(_attempt_row, task.attempts))
    if task.deliveries is not msgspec.UNSET:
        out.print(f"\ndeliveries ({zone()})", style="bold")
        print_table(DELIVERY_COLUMNS, map(delivery_row, task.deliveries))


def _attempt_row(attempt: AttemptView) -> Iterable[str]:
    yield from (str(attempt.number), attempt.status, attempt.provider or "")
    yield from map(local, (attempt.opened_at, attempt.started_at, attempt.ended_at))
    yield str(attempt.usage.turns or "")
    yield f"{attempt.error.code}: {attempt.error.message}" if attempt.error else ""


def answer_text(attempt: DeliveryAttemptView) -> str:
    """The answer to an attempt: `204`, `timeout`, `401 deployment_protection`."""
    reason = attempt.reason if attempt.reason not in {"status", "redirect", "gone"} else None
    found = (str(part) for part in (attempt.status, reason) if part)
    return " ".join(found) or "none"


DELIVERY_COLUMNS: Final = ("id", "event", "status", "next", "answers")


def delivery_row(delivery: DeliveryView) -> tuple[str, ...]:
    """A delivery as a row of a table, with the answers to its attempts."""
    answers = ", ".join(map(answer_text, delivery.attempts))
    next_attempt = local(delivery.next_attempt_at)
    return delivery.id, delivery.type, delivery.status, next_attempt, answers


def print_explanation(why: ExplanationView) -> None:
    """Prints why a task is in its state, the next steps and the evidence."""
    out.print(one_line(why.summary))
    if why.waiting_for:
        out.print(f"waiting for {one_line(why.waiting_for)}")
    if why.next:
        out.print(f"\nnext ({zone()})", style="bold")
        table, at = Table.grid(padding=(0, 2)), now()
        for step in why.next:
            when, left = until(step.at, at)
            table.add_row(f"  {when}", left, one_line(step.what))
        print_wide(table)
    out.print("\nevidence", style="bold")
    for line in why.evidence:
        out.print(f"  {one_line(line)}")
    if zone() != "UTC":
        out.print("Times within the sentences are UTC.", style="dim")


def print_receipts(receipts: ReceiptsView) -> None:
    """Prints the checks of an attempt, and if their signature holds."""
    if not receipts.data:
        out.print(f"no check ran in attempt {receipts.attempt}")
        return
    print_table(RECEIPT_COLUMNS, map(_receipt_row, receipts.data))
    out.print(f"attempt {receipts.attempt}: {_SIGNATURES[receipts.verified]}")


RECEIPT_COLUMNS: Final = ("status", "exit code", "seconds", "command", "reason")
_SIGNATURES: Final = {
    True: "signed with the attempt's key",
    False: "the signature does not hold",
    None: "not verified",
}


def _receipt_row(receipt: ReceiptView) -> Iterable[str]:
    yield from (receipt.status, "" if receipt.exit_code is None else str(receipt.exit_code))
    yield "" if receipt.seconds is None else f"{receipt.seconds:.1f}"
    yield from (receipt.command, receipt.reason or "")


def event_line(event: EventView, *, with_subject: bool = False, with_date: bool = False) -> Text:
    """An event as one line: time, the task or endpoint if asked for, type and text."""
    data = _data(event)
    text = data.message or data.summary or data.pr_url or data.code
    text = text or event_words(event.type, event.data)
    subject = event.task_id or ""
    if event.task_id is None and data.endpoint is not None:
        endpoint = msgspec.convert(data.endpoint, EndpointStateView)
        text, subject = _endpoint_text(endpoint), endpoint.id
    if data.error is not None:
        text = f"{data.error.code}: {data.error.message}"
    if data.stage:
        text = f"{data.stage}: {text}" if text else data.stage
    if isinstance(event.customer, str):
        text = f"{text} for {event.customer}".lstrip()
    if event.source == "api" and event.actor is not None:
        text = f"{text} by {event.actor}".lstrip()
    if not event.applied:
        text = f"refused ({event.reason}) {text}"
    name = event.type.removeprefix("task.").replace("_", " ")
    return Text.assemble(
        (f"{local(event.at) if with_date else local_time(event.at)}  ", "dim"),
        f"{subject}  " if with_subject else "",
        (f"{name:<18}", _STYLES.get(event.type, "")),
        one_line(text)[:_MESSAGE],
    )


def _data(event: EventView) -> _EventData:
    """An agent may send any shape: what cannot be shown is left out."""
    try:
        return msgspec.json.decode(event.data, type=_EventData)
    except msgspec.ValidationError:
        return _EventData()


def _endpoint_text(endpoint: EndpointStateView) -> str:
    status = f" {endpoint.http_status}" if endpoint.http_status else ""
    return f"{endpoint.origin} {endpoint.reason or ''}{status}".rstrip()
