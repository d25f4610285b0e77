"""A coding agent with a command line, as the engine that runs it sees it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from ...failure import Failure
from ...truncation import first_of
from ..usage import Tokens
from .upstream import Access, Upstream

KEY: Final = "SLIPGATE_MODEL_KEY"
"""The variable of its token, for a program whose configuration names one."""
UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The form of most session ids."""
OUTPUT_CHARACTERS: Final = 4_000
"""Of the output of one of its tools, in the log."""
INPUT_CHARACTERS: Final = 500
"""Of the arguments of one of its tools, in the log."""


class ProgramEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one line of a program's output, in our words."""

    text: str = ""
    """For the log."""
    session: str | None = None
    """The id to go on with in a later run."""
    turns: tuple[Tokens, ...] = ()
    """Answers of the model since the line before."""
    ends_step: bool = False
    """Its tools have ended; it asks the model again."""
    summary: str | None = None
    """Its last words, until others come."""
    total: Tokens | None = None
    """Of the whole run, which counts more than the sum of its turns."""
    failure: Failure | None = None
    """Forgotten when another answer of the model comes."""
    ends_run: bool = False
    """It will not get over the failure, but goes on trying."""


NOTHING: Final = ProgramEvent()


class Program(Protocol):
    """One program with its model; all that it prints is untrusted."""

    name: str
    """Of the program on the PATH."""
    advice: str
    """The way to get it."""
    upstream: Upstream
    """The API that it speaks to, through a relay."""

    def argv(self, access: Access, session: str | None) -> Sequence[str]:
        """The command of a run, which reads the prompt from standard input; with a session it
        goes on with that."""

    def environ(self, access: Access, home: Path) -> Mapping[str, str]:
        """Variables with its access to the model, and without calls home."""

    def read(self, line: bytes) -> ProgramEvent:
        """Read a line of JSON; raises `msgspec.MsgspecError` for one of another form."""

    def session_file(self, home: Path, session: str) -> Path | None:
        """The file of a session; None: it keeps none, and its output stands for it."""


def shown_output(text: str) -> str:
    """The output of a tool for the log, with a line break at its end."""
    shown = first_of(text, OUTPUT_CHARACTERS)
    if len(shown) < len(text):
        shown += f"\n[... {len(text) - len(shown)} characters left out ...]"
    return shown if not shown or shown.endswith("\n") else f"{shown}\n"


def shown_call(name: str, arguments: Mapping[str, object]) -> str:
    """The call of a tool for the log: a command as a shell shows it."""
    command = arguments.get("command")
    if isinstance(command, str):
        return f"$ {command}\n"
    given = msgspec.json.encode(arguments).decode()
    return f"[{name} {first_of(given, INPUT_CHARACTERS)}]\n"
