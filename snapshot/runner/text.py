"""Text from outside, made fit to be shown to people."""

import re
from typing import Final

from .truncation import first_of, last_of

TITLE_CHARACTERS: Final = 72
GAP: Final = "[…]"
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TERMINAL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_UNPRINTABLE: Final = re.compile(rf"{_TERMINAL.pattern}|[\x00-\x08\x0b-\x1f\x7f]")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
"""Zero-width, direction and tag characters."""
_REASON: Final = re.compile(
    r"\b(?:error|fatal|GH\d{3}|denied|declin\w+|violat\w+|protected|not allowed|forbidden"
    r"|refus\w+|rejected|secrets?|exceeds|unable to|could not|HTTP \d{3}|returned error)\b",
    re.IGNORECASE,
)
_FENCE: Final = re.compile(r"`{3,}")
_BLANK_REMOTE: Final = re.compile(r"remote:\s*")


def printable(text: str) -> str:
    """A command's output without colours and control characters."""
    return _UNPRINTABLE.sub("", text)


def visible(text: str) -> str:
    """A text without HTML comments and invisible characters."""
    return plain(_COMMENT.sub("", text)).strip()


def plain(text: str) -> str:
    """A text without control characters and invisible ones."""
    return _INVISIBLE.sub("", printable(text))


def fenced(text: str) -> str:
    """A block of Markdown that its own content cannot end."""
    longest = max(map(len, _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"


def title(given: str | None, prompt: str) -> str:
    """The given title, or the first line of the prompt."""
    lines = visible(given or "").splitlines() or visible(prompt).splitlines() or ["Changes"]
    line = " ".join(lines[0].split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1] + "…"


def is_default_title(given: str | None, prompt: str) -> bool:
    """True if nobody chose the title: the gateway gives the prompt's first line, cut."""
    first = next((line.strip() for line in prompt.splitlines() if line.strip()), "")
    return given is None or given == first[:TITLE_CHARACTERS]


def summarize_stderr(text: str, most: int) -> str:
    """A program's stderr in about `most` characters (100 or more).

    The lines that name a reason come first, then the beginning and the end: git ends with a line
    of its own, far behind the remote's reason. Of a short text only progress is left out.
    """
    lines = [line for line in map(_final_state, text.split("\n")) if line]
    whole = "\n".join(lines)
    if len(whole) <= most:
        return whole
    reasons = "\n".join(dict.fromkeys(line for line in lines if _REASON.search(line)))
    parts = (first_of(reasons, most // 2), first_of(whole, most // 4), last_of(whole, most // 4))
    return f"\n{GAP}\n".join(part.strip() for part in parts if part.strip())


def _final_state(line: str) -> str:
    """A line as a terminal shows it in the end; empty for a blank line of the remote."""
    shown = _TERMINAL.sub("", line.rstrip().rpartition("\r")[2]).rstrip()
    return "" if _BLANK_REMOTE.fullmatch(shown) else shown
