"""The script behind a wrapper such as `make test` or `npm test`, read or asked for, never run."""

from collections.abc import Callable
from typing import Final

from .folder import Folder
from .node import script
from .plan import Argv, Command

DEPTH: Final = 4
_NODE: Final = frozenset({"npm", "pnpm", "yarn", "bun"})
_OPTION_OF_DRY_RUN: Final = {"make": "--dry-run", "just": "--dry-run"}
_ALIASES: Final = {"t": "test", "tst": "test"}

Ask = Callable[[Argv], str | None]
"""Runs a command that changes nothing, and returns its output; None if it failed."""


def is_wrapper(argv: Argv) -> bool:
    program = argv[0]
    if program == "composer":
        return len(argv) > 1
    return program in _OPTION_OF_DRY_RUN or (program in _NODE and _script_name(argv) != "")


def behind(command: Command, folder: Folder, ask: Ask) -> str | None:
    """The script that the wrapper runs; None if the command is none, or it cannot be known."""
    argv = command.argv
    if option := _OPTION_OF_DRY_RUN.get(argv[0]):
        return ask((argv[0], option, *argv[1:]))
    if argv[0] == "composer":
        return _composer(folder, argv[-1])
    name = _script_name(argv) if argv[0] in _NODE else ""
    return _node(folder, name, DEPTH) if name else None


def _script_name(argv: Argv) -> str:
    words = [word for word in argv[1:] if not word.startswith("-")]
    if words[:1] in (["run"], ["run-script"]):
        return words[1] if len(words) > 1 else ""
    if words and argv[0] != "bun" and _ALIASES.get(words[0], words[0]) == "test":
        return "test"
    return ""


def _node(folder: Folder, name: str, depth: int) -> str | None:
    """The script with those that it calls put in their places."""
    found = "\n".join(filter(None, (script(folder, each) for each in (f"pre{name}", name))))
    lines = []
    for line in found.replace("&&", "\n").replace(";", "\n").splitlines():
        words = tuple(line.split())
        inner = _script_name(words) if words and words[0] in _NODE else ""
        is_known = inner and depth and script(folder, inner)
        lines.append((is_known and _node(folder, inner, depth - 1)) or line)
    return "\n".join(lines) or None


def _composer(folder: Folder, name: str) -> str | None:
    scripts = folder.table("composer.json").get("scripts")
    found = scripts.get(name) if isinstance(scripts, dict) else None
    if isinstance(found, str):
        return found
    return "\n".join(map(str, found)) if isinstance(found, list) else None
