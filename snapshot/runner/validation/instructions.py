"""The test commands that a repository's AGENTS.md declares in its code blocks."""

import re
from collections.abc import Iterator
from typing import Final

from .plan import Command, shell
from .tools import is_test, simple_commands

NAMES: Final = ("AGENTS.md", ".github/AGENTS.md")
LARGEST_CHECKS: Final = 3
LARGEST_CHARACTERS: Final = 100_000
LINE_CHARACTERS: Final = 500
"""A longer line is no command for people."""
_FENCE: Final = re.compile(r"[ \t]*```[ \t]*(\w*)[ \t]*\Z")
_SHELLS: Final = frozenset({"", "sh", "shell", "bash", "console", "zsh", "text"})
_EXAMPLE: Final = re.compile(
    r"[<>{}\[\]$]|\.\.\.(?!/|$|\s)|path/to|::|\s-(?:k|t|run|m not|-filter|-grep|-watch|-ui)\b|your"
    r"|\S+(?:_test|\.test|\.spec|_spec)\.\w+|\btest_\w+\.py|\bwatch\b|--update|\bsudo\b"
)
"""Words of a command that is an example for one test, or for work at a terminal."""


def checks(text: str) -> tuple[Command, ...]:
    """The simple commands that run a known test tool, each once."""
    commands = (re.sub(r"\s+#.*", "", line).strip() for line in _code(text[:LARGEST_CHARACTERS]))
    lines = dict.fromkeys(line.removeprefix("$ ") for line in commands)
    return tuple(shell(line) for line in lines if _is_declared(line))[:LARGEST_CHECKS]


def _code(text: str) -> Iterator[str]:
    """The lines of closed code blocks for a shell."""
    block: list[str] | None = None
    is_shell = False
    for line in text.splitlines():
        fence = _FENCE.match(line[:200])
        if fence is None and block is not None:
            block += [line] if len(line) <= LINE_CHARACTERS else []
        elif fence is not None and block is None:
            block, is_shell = [], fence[1] in _SHELLS
        elif fence is not None:
            yield from block or () if is_shell else ()
            block = None


def _is_declared(line: str) -> bool:
    is_single = len([*simple_commands(line)]) == 1
    return is_single and not _EXAMPLE.search(line) and is_test(line)
