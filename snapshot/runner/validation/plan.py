"""The commands of one validation: how a checkout is set up, and its checks."""

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from ..truncation import first_of

Argv = tuple[str, ...]
COMMAND_CHARACTERS: Final = 500
SHELL: Final = ("bash", "-eo", "pipefail", "-c")


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command in a folder of the checkout."""

    argv: Argv
    directory: str = ""
    """Relative to the checkout; empty for the checkout itself."""
    environ: tuple[tuple[str, str], ...] = ()
    is_prefetch: bool = False
    """Only saves the agent time: the checks fetch the same by themselves."""
    must_count: bool = True
    """It passes only if a test tool says that tests ran; False: its exit code is enough."""

    @property
    def line(self) -> str:
        """The command as people would type it, cut for a receipt."""
        where = f"cd {shlex.quote(self.directory)} && " if self.directory else ""
        return first_of(where + self.plain_line, COMMAND_CHARACTERS)

    @property
    def plain_line(self) -> str:
        """The command without its directory."""
        is_line = self.argv[: len(SHELL)] == SHELL
        return self.argv[-1].strip() if is_line else shlex.join(self.argv)


def shell(line: str, *, directory: str = "", environ: Mapping[str, str] | None = None) -> Command:
    """The command of a line that a repository wrote for a shell."""
    variables = tuple((environ or {}).items())
    return Command(argv=(*SHELL, line), directory=directory, environ=variables)


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The place in which commands run."""

    home: Path
    path: str

    def has(self, program: str) -> bool:
        return shutil.which(program, path=self.path) is not None

    @property
    def programs(self) -> Path:
        """The folder of tools that a set-up installs."""
        return self.home / ".local" / "bin"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One ecosystem in one folder."""

    ecosystem: str
    setup: tuple[Command, ...] = ()
    checks: tuple[Command, ...] = ()
    environ: Mapping[str, str] = {}
    path: tuple[Path, ...] = ()
    """Folders before all others on the PATH; they may not be there yet."""
    missing: str = ""
    """The program of the language that is not installed."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A project in the checkout that is checked."""

    path: str
    parts: tuple[Part, ...]
    wrapper: Command | None = None
    """The project's one command for all its tests, such as `make test`."""

    @property
    def checks(self) -> tuple[Command, ...]:
        """Its wrapper, or the checks of its parts."""
        if self.wrapper is not None:
            return (self.wrapper,)
        return tuple(check for part in self.parts for check in part.checks)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    targets: tuple[Target, ...] = ()
    setup: tuple[Command, ...] | None = None
    """The repository's own set-up; None: that of its parts."""
    more_setup: tuple[Command, ...] = ()
    """Steps for programs that `checks` call, and steps that build."""
    replaced: frozenset[str] = frozenset()
    """Ecosystems whose set-up `more_setup` replaces."""
    checks: tuple[Command, ...] | None = None
    """Checks of the whole; None: those of the targets."""
    is_complete: bool = False
    """`checks` are all that is wanted: a language that they leave out is nobody's concern."""
    environ: Mapping[str, str] = {}
    tools: tuple[str, ...] = ()
    """Programs that must be installed."""
    mistakes: tuple[str, ...] = ()
    """Mistakes in the repository's own configuration."""

    @property
    def steps(self) -> tuple[Command, ...]:
        """The whole set-up: the repository's own, or that of all parts that have checks."""
        if self.setup is not None:
            return self.setup
        parts = [part for part in usable(self.parts) if part.ecosystem not in self.replaced]
        steps = [each for part in parts for each in part.setup]
        return tuple(dict.fromkeys([*steps, *self.more_setup]))

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for target in self.targets for part in target.parts)

    def variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environ of its commands."""
        folders = [str(folder) for part in self.parts for folder in part.path]
        path = os.pathsep.join(dict.fromkeys([*folders, *environ["PATH"].split(os.pathsep)]))
        merged = {name: value for part in self.parts for name, value in part.environ.items()}
        return {**environ, **merged, **self.environ, "PATH": path}


def usable(parts: Iterable[Part]) -> list[Part]:
    """The parts with a language that is there and checks of their own; if none has any, all."""
    there = [part for part in parts if not part.missing]
    return [part for part in there if part.checks] or there
