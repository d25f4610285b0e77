"""The message of a commit: the title, the description in lines of 72 characters, the trailers."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from .masking import masked
from .template import description

WIDTH: Final = 72
"""Linters of commits take lines up to 72 or 100 characters."""
_FENCE: Final = re.compile(r" {0,3}(?:```|~~~)")
_ITEM: Final = re.compile(r"[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+")


def commit_message(title: str, words: str, trailers: Sequence[str], *, template: str = "") -> str:
    """The message; of an answered template only the description, without its form."""
    text = "\n".join(_wrapped(description(template, words)))
    parts = (masked(title), masked(text).strip(), "\n".join(trailers))
    return "\n\n".join(filter(None, parts)) + "\n"


def _wrapped(text: str) -> Iterator[str]:
    """Long lines of prose are broken; code and tables are not."""
    is_code = False
    for line in text.splitlines():
        is_code ^= _FENCE.match(line) is not None
        if is_code or len(line) <= WIDTH or line.startswith(("    ", "\t", "|", ">")):
            yield line
            continue
        item = _ITEM.match(line)
        indent = " " * len(item[0]) if item else ""
        yield from textwrap.wrap(
            line,
            WIDTH,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
