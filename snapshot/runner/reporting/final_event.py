"""The final event of an attempt, and its summary for people."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from ..agent_summary import parse
from ..failure import Failure
from ..text import printable
from ..truncation import first_of
from .events import Completed, Error, Failed, FinalEvent, NeedsReview, Receipt
from .kept_patch import LARGEST_WARNINGS, SUMMARY_CHARACTERS

INLINE_PATCH_BYTES: Final = 512 * 1024
"""The gateway takes no larger patch in an event; it has the whole patch before."""
LARGEST_ESCAPED_BYTES: Final = 600 * 1024
"""The same as JSON: a launcher carries no line of the spool over 1 MB, and base64 adds a third."""
MESSAGE_CHARACTERS: Final = 2_000
AGENT_SUMMARY_CHARACTERS: Final = 4_000
LISTED_WARNINGS: Final = 10
_CONTROL: Final = re.compile(r"[\x80-\x9f]")
_ENDED: Final = {"failed": "failed", "timed_out": "ran out of time", "not_run": "did not run"}


class Review(msgspec.Struct, frozen=True, kw_only=True):
    summary: str
    is_complete: bool
    """False: a person must look."""
    points: tuple[str, ...] = ()
    """The sentences of the summary that its reviewer must read, besides the checks' results."""

    def with_note(
        self, note: str, *, is_complete: bool | None = None, is_point: bool = True
    ) -> "Review":
        """The review with a further sentence."""
        return Review(
            summary=f"{self.summary}\n\n{note}",
            is_complete=self.is_complete if is_complete is None else is_complete,
            points=(*self.points, note) if is_point else self.points,
        )


def review(
    agent_summary: str, receipts: Sequence[Receipt], *, warnings: Sequence[str], is_whole: bool
) -> Review:
    """The agent's own summary first, then our findings."""
    is_valid = bool(receipts) and all(receipt.status == "passed" for receipt in receipts)
    return Review(
        summary=_paragraphs(_agents(agent_summary), _listed(warnings), validated(receipts)),
        is_complete=is_valid and is_whole,
        points=tuple(warnings),
    )


def unusable(agent_summary: str, reason: str, *, warnings: Sequence[str] = ()) -> Review:
    """The review of work that can neither be validated nor pushed."""
    why = f"{reason[:1].upper()}{reason[1:]}. Nothing was validated or pushed."
    summary = _paragraphs(_agents(agent_summary), why, _listed(warnings))
    return Review(summary=summary, is_complete=False)


def result(
    branch: str,
    review: Review,
    receipts: tuple[Receipt, ...],
    *,
    warnings: tuple[str, ...] = (),
    patch: str | None = None,
    commit_sha: str | None = None,
    pr_url: str | None = None,
    resumable: bool = False,
) -> FinalEvent:
    """`task.completed` if nothing is missing, else `task.needs_review`."""
    kind = Completed if review.is_complete else NeedsReview
    return kind(
        branch_name=branch,
        summary=first_of(review.summary, SUMMARY_CHARACTERS),
        validation=tuple(map(_signable, receipts)),
        warnings=warnings[:LARGEST_WARNINGS],
        pr_url=pr_url,
        commit_sha=commit_sha,
        patch=patch if patch and _fits(patch) else None,
        resumable=resumable,
    )


def failed(
    stage: str,
    failure: Failure,
    *,
    log_tail: str,
    warnings: tuple[str, ...] = (),
    resumable: bool = False,
) -> Failed:
    message = first_of(failure.message, MESSAGE_CHARACTERS)
    retryable = failure.retryable
    return Failed(
        error=Error(stage=stage, code=failure.code, message=message, retryable=retryable),
        log_tail=log_tail or None,
        warnings=warnings[:LARGEST_WARNINGS],
        resumable=resumable,
    )


def _signable(receipt: Receipt) -> Receipt:
    """The receipt as the gateway keeps it: it takes control characters out of such fields. Numbers
    of few digits have one form in JSON (RFC 8785)."""
    return msgspec.structs.replace(
        receipt,
        command=_CONTROL.sub("", printable(receipt.command)),
        reason=_CONTROL.sub("", printable(receipt.reason)),
        seconds=round(receipt.seconds, 3),
    )


def _fits(patch: str) -> bool:
    is_short = len(patch.encode()) <= INLINE_PATCH_BYTES
    return is_short and len(msgspec.json.encode(patch)) <= LARGEST_ESCAPED_BYTES


def _agents(summary: str) -> str:
    return first_of(parse(summary).text, AGENT_SUMMARY_CHARACTERS)


def _paragraphs(*paragraphs: str) -> str:
    return "\n\n".join(filter(None, paragraphs))


def _listed(warnings: Sequence[str]) -> str:
    lines = [f"- {warning}" for warning in warnings[:LISTED_WARNINGS]]
    rest = len(warnings) - len(lines)
    return "\n".join([*lines, f"- … and {rest} more"] if rest else lines)


def validated(receipts: Sequence[Receipt]) -> str:
    """The results of the checks in a sentence."""
    if not receipts:
        return "Validation did not run: neither the task nor the repository declares a check."
    broken = [receipt for receipt in receipts if receipt.status != "passed"]
    if not broken:
        names = ", ".join(f"`{receipt.command}`" for receipt in receipts)
        return f"Validation passed: {names}."
    return "Validation did not pass: " + "; ".join(map(_not_passed, broken)) + "."


def _not_passed(receipt: Receipt) -> str:
    is_shown = receipt.status == "failed" and receipt.exit_code is not None
    code = f" with exit code {receipt.exit_code}" if is_shown else ""
    reason = f" ({receipt.reason})" if receipt.reason else ""
    return f"`{receipt.command}` {_ENDED[receipt.status]}{code}{reason}"
