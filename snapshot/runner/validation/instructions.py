"""The test commands that a repository's AGENTS.md declares in its code blocks."""

import re
from collections.abc import Iterator
from typing import Final

from .plan import Command, shell
from .tools import is_test, simple_commands

NAMES: Final = ("AGENTS.md", ".github/AGENTS.md")
LARGEST_CHECKS: Final = 3
_BLOCK: Final = re.compile(
    r"^[ \t]*```(?:sh|shell|bash|console|zsh|text)?[ \t]*\n(.*?)^[ \t]*```",
    re.MULTILINE | re.DOTALL,
)
_EXAMPLE: Final = re.compile(
    r"[<>{}\[\]$]|\.\.\.(?!/|$|\s)|path/to|::|\s-(?:k|t|run|m not|-filter|-grep|-watch|-ui)\b|your"
    r"|\S+(?:_test|\.test|\.spec|_spec)\.\w+|\btest_\w+\.py|\bwatch\b|--update|\bsudo\b"
)
"""Words of a command that is an example for one test, or for work at a terminal."""


def checks(text: str) -> tuple[Command, ...]:
    """The plain commands that run a known test tool, each once."""
    lines = (line for block in _BLOCK.findall(text[:100_000]) for line in _commands(block))
    return tuple(shell(line) for line in dict.fromkeys(lines))[:LARGEST_CHECKS]


def _commands(block: str) -> Iterator[str]:
    for line in block.splitlines():
        command = re.sub(r"\s+#.*", "", line).strip().removeprefix("$ ")
        is_simple = len([*simple_commands(command)]) == 1 and not _EXAMPLE.search(command)
        if is_simple and is_test(command):
            yield command
