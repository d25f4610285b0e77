"""Says what came of the attempt in words: is it complete, and if not, what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..failure import Failure
from ..text import visible
from ..truncation import first_of
from .events import Receipt

WORDS_CHARACTERS = 4_000
WARNINGS = 6
UNFINISHED = "The agent did not finish"
_BROKEN = {"failed": "failed", "timed_out": "ran out of time", "not_run": "did not run"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """The summary for people, and whether a person must look."""

    summary: str
    is_complete: bool

    def with_note(self, note: str, *, is_complete: bool | None = None) -> "Review":
        """The same with a further sentence."""
        return Review(
            summary=f"{self.summary}\n\n{note}",
            is_complete=self.is_complete if is_complete is None else is_complete,
        )


def review(
    words: str, receipts: Sequence[Receipt], *, warnings: Sequence[str], is_whole: bool
) -> Review:
    """The agent's own words first, then what we saw ourselves."""
    paragraphs = [first_of(visible(words), WORDS_CHARACTERS), _listed(warnings)]
    paragraphs.append(validated(receipts))
    is_valid = bool(receipts) and all(receipt.status == "passed" for receipt in receipts)
    return Review(
        summary="\n\n".join(paragraph for paragraph in paragraphs if paragraph),
        is_complete=is_valid and is_whole,
    )


def unusable(words: str, reason: str, *, warnings: Sequence[str] = ()) -> Review:
    """There is nothing that could be validated or pushed, and this is why."""
    said = first_of(visible(words), WORDS_CHARACTERS)
    why = f"{reason[:1].upper()}{reason[1:]}. Nothing was validated or pushed."
    summary = "\n\n".join(part for part in (said, why, _listed(warnings)) if part)
    return Review(summary=summary, is_complete=False)


def unfinished(failure: Failure) -> str:
    """The sentence about an agent that ended before it said that it was done."""
    return f"{UNFINISHED} ({failure.code}): {failure.message}."


def _listed(warnings: Sequence[str]) -> str:
    """As many as a summary has workdir for."""
    shown = warnings[:WARNINGS]
    rest = len(warnings) - len(shown)
    return "\n".join([*(f"- {one}" for one in shown), *([f"- … and {rest} more"] if rest else [])])


def validated(receipts: Sequence[Receipt]) -> str:
    """One sentence about validation; what did not run is said not to have run."""
    if not receipts:
        return "Validation did not run: neither the task nor the repository declares a check."
    broken = [receipt for receipt in receipts if receipt.status != "passed"]
    if not broken:
        return f"Validation passed: {_names(receipts)}."
    return "Validation did not pass: " + "; ".join(_broken(receipt) for receipt in broken) + "."


def _broken(receipt: Receipt) -> str:
    ended = f" with exit code {receipt.exit_code}" if receipt.exit_code is not None else ""
    reason = f" ({receipt.reason})" if receipt.reason else ""
    return f"`{receipt.command}` {_BROKEN[receipt.status]}{ended}{reason}"


def _names(receipts: Sequence[Receipt]) -> str:
    return ", ".join(f"`{receipt.command}`" for receipt in receipts)
