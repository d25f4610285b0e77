"""What an event says, in a few words."""

from gateway.domain.explain.formatting import bare
from gateway.domain.tasks.event import (
    Ended,
    Fact,
    FlagCleared,
    FlagSet,
    Launched,
    Launching,
    Progress,
    PullRequest,
    Retried,
    SandboxReported,
    Trying,
    UsageTotals,
)
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Sandbox, TaskError


def describe(fact: Fact) -> str:
    """One short line; empty where the type says it all."""
    return bare(_words(fact))


def _words(fact: Fact) -> str:
    match fact:
        case Spec():
            return fact.title
        case Launching():
            return f"launch {fact.launch} by {fact.launcher_id}"
        case Trying():
            return _joined(f"try {fact.number}, {_sandbox(fact.sandbox)}", fact.note)
        case Launched() | SandboxReported():
            return _sandbox(fact.sandbox)
        case Progress():
            return _joined(fact.stage, fact.message)
        case UsageTotals():
            return f"{fact.turns} turns, {fact.cost_usd:.2f} USD"
        case PullRequest():
            return fact.pr_url or ""
        case Ended():
            return _error(fact.error) or fact.summary or fact.pr_url or ""
        case _:
            return _steering(fact)


def _steering(fact: Fact) -> str:
    match fact:
        case Retried():
            return _joined(f"attempt {fact.attempt}, launch {fact.launch}", _error(fact.error))
        case FlagSet():
            return _joined(fact.code, fact.detail)
        case FlagCleared():
            return fact.code
        case _:
            return ""


def _sandbox(sandbox: Sandbox | None) -> str:
    if sandbox is None:
        return ""
    return f"{sandbox.name} {sandbox.state} at {sandbox.provider}"


def _error(error: TaskError | None) -> str:
    return "" if error is None else _joined(error.code, error.message)


def _joined(head: str | None, tail: str | None) -> str:
    return ": ".join(part for part in (head, tail) if part)
