"""The text of a pull request: the agent's summary, then what its reviewer must know."""

import html
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from ..agent_summary import without_folders
from ..reporting.events import Receipt
from ..repository.exclusions import SETUP
from ..text import fenced, visible
from ..truncation import first_of, last_of
from . import template as templates
from .masking import code, markdown, masked
from .template import Part

LARGEST_BYTES: Final = 28 * 1024
"""GitHub takes 65,536 characters; nobody reads so many."""
AGENT_CHARACTERS: Final = 4_000
SHORT_CHARACTERS: Final = 1_000
TAIL_CHARACTERS: Final = 2_000
TAIL_LINES: Final = 40
MOST_TAILS: Final = 3
MOST_POINTS: Final = 12
MOST_FILES: Final = 15
NAME_CHARACTERS: Final = 80
NAMED_CHECKS: Final = 3
NO_SUMMARY: Final = "The agent gave no summary."


class FileStat(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    added: int | None
    """Lines; None: the file is binary."""
    removed: int | None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the text is made of."""

    task_id: str
    attempt: int
    agent_summary: str
    is_complete: bool
    points: tuple[str, ...]
    """Sentences for the reviewer: findings, exclusions, what went wrong."""
    receipts: tuple[Receipt, ...]
    files: tuple[FileStat, ...]
    issues: tuple[int, ...] = ()
    """Of the same repository, which the task names."""
    template: str = ""
    """The repository's own."""
    written_by: str = "an agent"


def body(facts: Facts) -> str:
    """Markdown; of what is too long the least important goes first."""
    whole = _body(facts, has_tails=True)
    if _fits(whole):
        return whole
    shorter = _body(facts, has_tails=False)
    if _fits(shorter):
        return shorter
    summary = first_of(visible(facts.agent_summary), SHORT_CHARACTERS)
    points = tuple(first_of(point, NAME_CHARACTERS) for point in facts.points)
    return _body(
        msgspec.structs.replace(facts, agent_summary=summary, points=points, template=""),
        has_tails=False,
    )


def _fits(text: str) -> bool:
    return len(text.encode()) <= LARGEST_BYTES


def _body(facts: Facts, *, has_tails: bool) -> str:
    agents = first_of(visible(facts.agent_summary), AGENT_CHARACTERS) or NO_SUMMARY
    parts: dict[Part, str] = {
        "reviewer": _for_the_reviewer(facts),
        "validation": "\n\n".join(_validation(facts.receipts, has_tails=has_tails)),
        "changes": _changes(facts.files),
        "issues": _issues(facts.issues),
    }
    text = (
        templates.fill(facts.template, parts, agents)
        if facts.template
        else templates.plain(parts, agents)
    )
    return f"{text}\n\n---\n{_origin(facts)}"


def _origin(facts: Facts) -> str:
    by = masked(facts.written_by)
    return f"Written by {by} · slipgate task `{facts.task_id}`, attempt {facts.attempt}."


def _issues(issues: Sequence[int]) -> str:
    """Plain references: whether the change closes an issue is for its maintainers to say."""
    return "Refs " + ", ".join(f"#{number}" for number in issues) + "." if issues else ""


def _for_the_reviewer(facts: Facts) -> str:
    """Why a person must look, and what is not in the change."""
    # A set-up before the agent that failed is told to the agent; validation has its own.
    others = [point for point in facts.points if not point.startswith(SETUP)]
    points = [markdown(point) for point in others[:MOST_POINTS]]
    if (more := len(others) - MOST_POINTS) > 0:
        points.append(f"… and {more} more, in the task's `warnings`.")
    points.extend(_not_validated(facts.receipts))
    if not points:
        return ""
    intro = "" if facts.is_complete else "**Please look at this before you merge.**\n\n"
    return intro + "\n".join(f"- {point}" for point in points)


def _validation(receipts: Sequence[Receipt], *, has_tails: bool) -> Iterator[str]:
    yield _verdict(receipts)
    if receipts:
        header = ["| command | exit code | seconds | result |", "|---|---|---|---|"]
        yield "\n".join([*header, *map(_row, receipts)])
    failed = [each for each in receipts if each.status != "passed" and each.output_tail.strip()]
    for receipt in failed[:MOST_TAILS] if has_tails else ():
        output = without_folders(receipt.output_tail).strip("\n")
        tail = "\n".join(last_of(output, TAIL_CHARACTERS).splitlines()[-TAIL_LINES:])
        title = f"The end of the output of <code>{_html(receipt.command)}</code>"
        yield f"<details><summary>{title}</summary>\n\n{fenced(masked(tail))}\n\n</details>"


def _verdict(receipts: Sequence[Receipt]) -> str:
    if not receipts:
        return "No check ran: neither the task nor the repository declares one."
    broken = sum(receipt.status != "passed" for receipt in receipts)
    if not broken:
        return "Passed in a clean checkout of this change."
    return f"{broken} of {len(receipts)} did not pass in a clean checkout of this change."


def _not_validated(receipts: Sequence[Receipt]) -> Iterator[str]:
    """A sentence for each way in which checks say nothing good of the change."""
    if not receipts:
        yield "No check validates the change."
    broken = [each for each in receipts if each.status != "passed"]
    failed = [each for each in broken if each.status != "not_run"]
    for sentence, those in (
        ("Fails with this change, and passes without it", _with_baseline(failed, "passed")),
        ("Fails with this change", _with_baseline(failed, None)),
        (
            "Fails without this change, too, so it validates nothing",
            _with_baseline(failed, "failed"),
        ),
        ("Did not run", [each for each in broken if each.status == "not_run"]),
    ):
        if those:
            rest = f" and {len(those) - NAMED_CHECKS} more" if len(those) > NAMED_CHECKS else ""
            names = ", ".join(code(each.command) for each in those[:NAMED_CHECKS])
            yield f"{sentence}: {names}{rest}."


def _with_baseline(receipts: Sequence[Receipt], baseline: str | None) -> list[Receipt]:
    return [each for each in receipts if each.baseline == baseline]


def _row(receipt: Receipt) -> str:
    exit_code = "–" if receipt.exit_code is None else str(receipt.exit_code)
    command, result = code(receipt.command), _result(receipt)
    return f"| {command} | {exit_code} | {receipt.seconds:.1f} | {result} |"


def _result(receipt: Receipt) -> str:
    words = receipt.status.replace("_", " ")
    reason = " ".join(markdown(receipt.reason).replace("|", "\\|").split())
    return f"{words}: {reason}" if reason else words


def _changes(files: Sequence[FileStat]) -> str:
    """The files with the most changed lines, as `git diff --stat` names them."""
    added, removed = (
        sum(filter(None, counts)) for counts in zip(*map(_counts, files), strict=True)
    )
    count = f"{len(files)} file{'s' if len(files) != 1 else ''}"
    by_size = sorted(files, key=lambda file: -sum(_counts(file)))
    shown = sorted(by_size[:MOST_FILES], key=lambda file: file.path)
    rest = len(files) - len(shown)
    names = [_name(file.path) for file in shown]
    width = max(map(len, names), default=0)
    lines = [f"{name:<{width}}  {_stat(file)}" for name, file in zip(names, shown, strict=True)]
    lines += [f"… and {rest} more"] if rest else []
    return f"{count}, +{added} -{removed}\n\n{fenced(masked(chr(10).join(lines)))}"


def _counts(file: FileStat) -> tuple[int, int]:
    return file.added or 0, file.removed or 0


def _name(path: str) -> str:
    name = " ".join(visible(path).split())
    return name if len(name) <= NAME_CHARACTERS else f"…{name[-NAME_CHARACTERS:]}"


def _stat(file: FileStat) -> str:
    return "binary" if file.added is None else f"+{file.added} -{file.removed}"


def _html(text: str) -> str:
    """Inside a tag no markdown is read."""
    return masked(html.escape(" ".join(text.split()), quote=False))
