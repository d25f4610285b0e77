"""The samples, commands and links in the README and in the pages of `gateway/docs`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = tuple(sorted((ROOT / "gateway" / "docs").glob("*.md")))
FILES: Final = (*(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")), *PAGES)
DESIGN: Final = frozenset({"architecture.md", "interfaces.md", "lifecycle.md"})
"""Copies of the design: their samples show forms, with comments and ellipses."""
OURS: Final = tuple(file for file in FILES if file.name not in DESIGN)
_NAMED: Final = re.compile(r"(?://|#) (\S+\.\w+)\b[^\n]*\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A fenced block."""

    file: Path
    language: str
    about: str
    """The rest of the line that opens it."""
    text: str

    @property
    def path(self) -> str | None:
        """The file that its first line names, if it does."""
        named = _NAMED.match(self.text)
        return named[1] if named else None

    def __str__(self) -> str:
        return f"{self.file.name}-{self.language}-{self.path or self.text.split()[0]}"


def tokens(file: Path) -> list[Token]:
    """The blocks of a page."""
    return MarkdownIt("commonmark").enable("table").parse(file.read_text("utf-8"))


def inline(file: Path) -> Iterator[Token]:
    """The parts of its sentences."""
    for token in tokens(file):
        yield from token.children or ()


def _samples() -> Iterator[Sample]:
    for file in OURS:
        for token in tokens(file):
            if token.type == "fence":
                language, _, about = token.info.partition(" ")
                yield Sample(file=file, language=language, about=about, text=token.content)


SAMPLES: Final = tuple(_samples())


def in_language(name: str) -> list[Sample]:
    """The samples in one language."""
    return [sample for sample in SAMPLES if sample.language == name]


def pasted(name: str) -> str:
    """The one sample whose first line names this file, without that line."""
    (found,) = [sample for sample in SAMPLES if sample.path == name]
    return found.text.partition("\n")[2]
