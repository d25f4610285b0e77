"""The repository's own instructions, as the base branch has them.

Hidden text is taken out: what no reader sees in the rendered file is not said to an agent.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from ..text import plain
from ..truncation import first_of

_FILES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:\.github/)?agents\.md",
        r"(?:\.claude/)?claude\.md",
        r"\.github/copilot-instructions\.md",
        r"(?:\.github/|docs/)?contributing(?:\.(?:md|rst|txt|adoc))?",
    )
)
"""In the order of their weight: if all is too long, the last ones are cut."""
LARGEST_CHARACTERS: Final = 16 * 1024
"""Of all files together."""
_ATTRIBUTE: Final = re.compile(
    r"\s(?:alt|title|aria-label|placeholder|data-[\w-]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')",
    re.IGNORECASE,
)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_OPEN_COMMENT: Final = re.compile(r"^ {0,3}<!--", re.MULTILINE)
_IMAGE: Final = re.compile(r"!\[[^\]]*\]")
_HIDDEN: Final = (
    (re.compile(r"(\]\([^()\s]+)\s+(?:\"[^\"]*\"|'[^']*')\s*\)"), r"\1)"),
    (_ATTRIBUTE, ""),
)
"""Titles of links, and attributes that no page shows."""


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """One file, cut if it is long."""

    path: str
    text: str
    omitted: int = 0
    """Characters behind the cut."""


def is_wanted(path: str) -> bool:
    """True for the path of a file that `found` reads."""
    return any(pattern.fullmatch(path) for pattern in _FILES)


def found(texts: Mapping[str, str]) -> tuple[Instruction, ...]:
    """The instructions among these files, each text once."""
    return tuple(_bounded(texts))


def shown(text: str) -> str:
    """A text from outside without what its reader would not see."""
    text = _without_images(_without_comments(text))
    for pattern, instead in _HIDDEN:
        text = pattern.sub(instead, text)
    return plain(text).strip()


def _without_comments(text: str) -> str:
    """The text without comments; an open one hides the rest.

    Behind the last end nothing is searched for one: each beginning would read on to the text's end.
    """
    closed = text.rfind("-->") + len("-->") if "-->" in text else 0
    opened = _OPEN_COMMENT.search(text, closed)
    return _COMMENT.sub("", text[:closed]) + text[closed : opened.start() if opened else None]


def _without_images(text: str) -> str:
    """The text without the texts of images; as with comments, up to the last end alone."""
    closed = text.rfind("]") + 1
    return _IMAGE.sub("![]", text[:closed]) + text[closed:]


def _bounded(texts: Mapping[str, str]) -> Iterator[Instruction]:
    left = LARGEST_CHARACTERS
    seen: set[str] = set()
    for path in (path for pattern in _FILES for path in sorted(texts) if pattern.fullmatch(path)):
        text = shown(texts[path])
        if not text or text in seen:
            continue
        seen.add(text)
        cut = first_of(text, left) if left > 0 else ""
        left -= len(cut)
        yield Instruction(path=path, text=cut, omitted=len(text) - len(cut))
