"""The script behind a command such as `make test` or `npm test`, read or asked for, never run."""

import re
import shlex
from collections.abc import Callable
from itertools import islice
from typing import Final

from .folder import Folder
from .node import script
from .plan import SHELL, Argv, Command
from .tools import simple_commands

DEPTH: Final = 4
"""Levels of scripts that call others."""
UNKNOWN: Final = "unknown"
"""A script that cannot be read."""
LARGEST_SCRIPT: Final = 20_000
"""Characters."""
LARGEST_LINES: Final = 200
"""Of a script with those that it calls: they can call each other thousands of times."""
_NODE: Final = frozenset({"npm", "pnpm", "yarn", "bun"})
_OPTION_OF_DRY_RUN: Final = {"make": "--dry-run", "just": "--dry-run"}
_ALIASES: Final = {"t": "test", "tst": "test"}
_SHELLS: Final = frozenset({"sh", "bash"})
_INTERPRETERS: Final = frozenset({"node", "python", "python3"})
_PROGRAMS: Final = frozenset({"gradlew", "mvnw"})
"""Scripts that are programs of their own: they fetch a build tool and run it."""
_COMMENT: Final = re.compile(r"^\s*(?:#|//|['\"]use strict).*$", re.MULTILINE)

Ask = Callable[[Argv], str | None]
"""Runs a command that changes nothing, and returns its output; None if it failed."""


def behind(command: Command, folder: Folder, ask: Ask) -> str | None:
    """The commands that it comes down to, one a line; None for a program of its own."""
    if command.argv[: len(SHELL)] == SHELL:
        return _expanded(command.plain_line, folder, ask, DEPTH)
    return _script_of(command.argv, folder, ask, DEPTH)


def _expanded(text: str, folder: Folder, ask: Ask, depth: int) -> str:
    """The text with the scripts of its commands in their places."""
    lines: list[str] = []
    for line in islice(simple_commands(text), LARGEST_LINES):
        if len(lines) >= LARGEST_LINES:
            break
        inner = _script_of(_words(line), folder, ask, depth - 1) if depth else None
        lines += [line] if inner is None else inner.splitlines() or [inner]
    return "\n".join(lines)


def _script_of(argv: Argv, folder: Folder, ask: Ask, depth: int) -> str | None:
    program = argv[0] if argv else ""
    if option := _OPTION_OF_DRY_RUN.get(program):
        return ask((program, option, *argv[1:])) or UNKNOWN
    if program in _NODE and (name := _script_name(argv)):
        found = "\n".join(filter(None, (script(folder, each) for each in (f"pre{name}", name))))
        return _expanded(found, folder, ask, depth) if found else UNKNOWN
    if program == "composer" and len(argv) > 1:
        found = _composer(folder, argv[-1])
        return _expanded(found, folder, ask, depth) if found else UNKNOWN
    return _of_file(argv, folder, ask, depth)


def _of_file(argv: Argv, folder: Folder, ask: Ask, depth: int) -> str | None:
    """The content of a shell's script; `true` for another program's empty one."""
    is_own = bool(argv) and argv[0].startswith("./")
    is_run = len(argv) > 1 and argv[0] in _SHELLS | _INTERPRETERS
    name = argv[0] if is_own else argv[1] if is_run else ""
    if not _is_inside(name) or name.removeprefix("./") in _PROGRAMS:
        return None
    text = folder.text(name.removeprefix("./"))
    is_shell = argv[0] in _SHELLS if is_run else text.startswith(("#!/bin/sh", "#!/bin/bash"))
    is_shell = is_shell or text.startswith(("#!/usr/bin/env bash", "#!/usr/bin/env sh"))
    if is_shell and 0 < len(text) < LARGEST_SCRIPT:
        return _expanded(_COMMENT.sub("", text), folder, ask, depth)
    has_file = folder.has(name.removeprefix("./"))
    return "true" if has_file and not _COMMENT.sub("", text).strip() else None


def _is_inside(name: str) -> bool:
    return bool(name) and not name.startswith(("/", "-")) and ".." not in name.split("/")


def _words(line: str) -> Argv:
    try:
        return tuple(shlex.split(line))
    except ValueError:
        return tuple(line.split())


def _script_name(argv: Argv) -> str:
    words = [word for word in argv[1:] if not word.startswith("-")]
    if words[:1] in (["run"], ["run-script"]):
        return words[1] if len(words) > 1 else ""
    if words and argv[0] != "bun" and _ALIASES.get(words[0], words[0]) == "test":
        return "test"
    return ""


def _composer(folder: Folder, name: str) -> str:
    scripts = folder.table("composer.json").get("scripts")
    found = scripts.get(name) if isinstance(scripts, dict) else None
    return "\n".join(map(str, found)) if isinstance(found, list) else str(found or "")
