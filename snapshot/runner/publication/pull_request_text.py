"""The text of the pull request: the summary, the receipts, where it comes from."""

from collections.abc import Sequence

from ..reporting.events import Receipt


def body(summary: str, receipts: Sequence[Receipt], *, task_id: str, attempt: int) -> str:
    """Markdown; what did not run stands in the table as not run."""
    parts = [summary]
    if receipts:
        parts.append("\n".join(_table(receipts)))
    parts.append(f"Task `{task_id}`, attempt {attempt}.")
    return "\n\n".join(parts)


def commit_message(title: str, words: str, *, trailers: dict[str, str]) -> str:
    """Title, body and trailers, as git wants them."""
    lines = "\n".join(f"{key}: {value}" for key, value in trailers.items())
    return "\n\n".join(part for part in (title, words, lines) if part) + "\n"


def _table(receipts: Sequence[Receipt]) -> list[str]:
    rows = [
        f"| {_code(receipt.command)} | {_result(receipt)} | {receipt.seconds:.1f} |"
        for receipt in receipts
    ]
    return ["| validation | exit code | seconds |", "|---|---|---|", *rows]


def _result(receipt: Receipt) -> str:
    if receipt.status == "not_run":
        return f"not run: {_plain(receipt.reason)}"
    if receipt.exit_code is None:
        return _plain(receipt.reason)
    return str(receipt.exit_code)


def _code(command: str) -> str:
    return "`" + _plain(command).replace("`", "'") + "`"


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
