"""What of a foreign text may be shown to people: only what they would see."""

import re
from typing import Final

TITLE_CHARACTERS: Final = 72
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_UNPRINTABLE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
"""Zero-width, direction and tag characters."""


def printable(text: str) -> str:
    """A command's output without colours and control characters."""
    return _UNPRINTABLE.sub("", text)


def visible(text: str) -> str:
    """A text without HTML comments and characters nobody sees."""
    return _INVISIBLE.sub("", printable(_COMMENT.sub("", text))).strip()


def title(given: str | None, prompt: str) -> str:
    """One line: the given title, or the prompt's first."""
    lines = visible(given or "").splitlines() or visible(prompt).splitlines() or ["Changes"]
    line = " ".join(lines[0].split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1] + "…"
