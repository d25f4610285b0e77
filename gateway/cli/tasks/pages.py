"""Tasks and what explains them, as pages for people."""

from datetime import UTC, datetime
from typing import Final

from rich.markup import escape
from rich.table import Table

from gateway.cli.console.output import plain
from gateway.cli.console.terminal import print_table, screen
from gateway.cli.http.replies import (
    AttemptView,
    DeliveryView,
    ExplanationView,
    StepView,
    TaskView,
    WholeTaskView,
)
from gateway.domain.explain.formatting import clock, duration, second
from gateway.wire.times import milliseconds

TITLE: Final = 60
"""Characters of a title in a list."""


def print_list(tasks: tuple[TaskView, ...]) -> None:
    """The tasks of a page, one a line."""
    table = Table("id", "status", "flag", "created (UTC)", "title", box=None, pad_edge=False)
    for task in tasks:
        flag = task.flag.code if task.flag else ""
        title = escape(plain(task.title)[:TITLE])
        table.add_row(task.id, task.status, flag, _moment(task.created_at), title)
    print_table(table)


def print_task(task: TaskView, why: ExplanationView) -> None:
    """One task: first how it stands, in a sentence."""
    screen.print(plain(why.summary), markup=False)
    sandbox, usage = task.sandbox, task.usage
    rows = {
        "task": task.id,
        "title": task.title,
        "status": f"{task.status} (attempt {task.attempt}{_of(task)})",
        "flag": task.flag.code if task.flag else None,
        "repository": task.repo_url,
        "branch": task.branch_name,
        "pull request": task.pr_url,
        "message": task.message,
        "error": f"{task.error.code}: {task.error.message}" if task.error else None,
        "sandbox": f"{sandbox.name} {sandbox.state} at {sandbox.provider}" if sandbox else None,
        "usage": f"{usage.turns} turns, {usage.cost_usd:.2f} USD" if usage.turns else None,
        "created": _moment(task.created_at),
        "started": _moment(task.started_at),
        "finished": _moment(task.finished_at),
    }
    for name, value in rows.items():
        if value:
            screen.print(f"{name:<13} {plain(value)}", markup=False)
    for warning in task.warnings:
        screen.print(f"{'warning':<13} {plain(warning)}", markup=False)


def print_included(task: WholeTaskView) -> None:
    """Its attempts and deliveries, as far as they were asked for."""
    if task.attempts is not None:
        screen.print("\nattempts (UTC)", style="bold")
        print_table(_attempts(task.attempts))
    if task.deliveries is not None:
        screen.print("\ndeliveries (UTC)", style="bold")
        print_table(delivery_table(task.deliveries))


def _attempts(attempts: tuple[AttemptView, ...]) -> Table:
    names = ("", "status", "provider", "opened", "started", "ended", "turns", "error")
    table = Table(*names, box=None, pad_edge=False)
    for attempt in attempts:
        error = f"{attempt.error.code}: {attempt.error.message}" if attempt.error else ""
        moments = map(_moment, (attempt.opened_at, attempt.started_at, attempt.ended_at))
        turns = str(attempt.usage.turns or "")
        row = (str(attempt.number), attempt.status, attempt.provider or "", *moments, turns, error)
        table.add_row(*(escape(plain(cell)) for cell in row))
    return table


def delivery_table(deliveries: tuple[DeliveryView, ...]) -> Table:
    """Deliveries, one a line, with what was answered."""
    table = Table("id", "event", "status", "next", "answers", box=None, pad_edge=False)
    for each in deliveries:
        answers = ", ".join(str(one.status or one.reason or "none") for one in each.attempts)
        row = (each.id, each.type, each.status, _moment(each.next_attempt_at), answers)
        table.add_row(*(escape(plain(cell)) for cell in row))
    return table


def print_explanation(why: ExplanationView, now: datetime | None = None) -> None:
    """The sentence, what is next and when, and how we know."""
    screen.print(plain(why.summary), markup=False)
    if why.waiting_for:
        screen.print(f"waiting for {plain(why.waiting_for)}", markup=False)
    if why.next:
        screen.print("\nnext (UTC)", style="bold")
        print_table(_steps(why.next, milliseconds(now or datetime.now(UTC))))
    screen.print("\nevidence", style="bold")
    for line in why.evidence:
        screen.print(f"  {plain(line)}", markup=False)


def _steps(steps: tuple[StepView, ...], now: int) -> Table:
    table = Table.grid(padding=(0, 2))
    for step in steps:
        at = milliseconds(step.at)
        left = f"in {duration(at - now)}" if at > now else "now"
        is_today = len(clock(at, now)) == len("02:11")
        when = second(at, now) if is_today else clock(at, now)
        table.add_row(f"  {when}", left, escape(plain(step.what)))
    return table


def _of(task: TaskView) -> str:
    """A retry by hand goes past the limit, which binds automatic ones."""
    return f" of {task.max_attempts}" if task.attempt <= task.max_attempts else ""


def _moment(text: str | None) -> str:
    """`2026-01-05T09:30:00.000Z` as `2026-01-05 09:30:00`."""
    return (text or "")[:19].replace("T", " ")
