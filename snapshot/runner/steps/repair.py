"""Repair rounds: checks that did not pass go back to the agent, with their receipts."""

from collections.abc import Callable, Iterator

import msgspec

from ..failure import Failure
from ..publication.publisher import Work
from ..reporting.events import Receipt
from .agent_session import AgentSession
from .context import StepContext, Unusable
from .validation import validate


def repaired(context: StepContext, begin: Callable[[], AgentSession], work: Work) -> Work:
    """The work after as many rounds as it needs and may have; `begin` makes their session, or
    raises `Failure`.

    A round in which the agent fails, or changes nothing, is the last, and keeps the work as it was.
    """
    rounds = context.configuration.agent.max_repair_rounds
    if not rounds or not any(_mendable(work.receipts)):
        return work
    try:
        session = begin()
    except Failure as failure:
        context.log.write(f"\nno repair round: {failure.message}\n")
        return work
    notes: list[str] = []
    while (failed := tuple(_mendable(work.receipts))) and len(notes) < rounds:
        if not session.can_go_on:
            break
        names = ", ".join(f"`{receipt.command}`" for receipt in failed)
        context.enter("agent", f"Repair round {len(notes) + 1} of {rounds}: {names} did not pass")
        context.log.write(f"\nrepair round {len(notes) + 1} of {rounds}: {names} did not pass\n")
        result = session.repair(failed, rounds_left=rounds - len(notes) - 1)
        if isinstance(result, str):
            notes.append(result)
            break
        try:
            work = validate(context, result)
        except Unusable as unusable:
            notes.append(unusable.reason)
            break
        notes.append("")
    return _with_note(work, notes)


def _mendable(receipts: tuple[Receipt, ...]) -> Iterator[Receipt]:
    """Receipts of commands that failed, and did not fail before the agent began."""
    for receipt in receipts:
        if receipt.status in {"failed", "timed_out"} and receipt.baseline != "failed":
            yield receipt


def _with_note(work: Work, notes: list[str]) -> Work:
    """The work with a sentence about its rounds in the summary."""
    if not notes:
        return work
    count = "1 repair round" if len(notes) == 1 else f"{len(notes)} repair rounds"
    reason = f"; in the last one {notes[-1]}" if notes[-1] else ""
    review = work.review.with_note(f"{count}{reason}.", is_point=bool(reason))
    return msgspec.structs.replace(work, review=review)
