"""`.slipgate.yml`: a repository's own set-up, checks, variables and tools."""

from typing import Annotated, Final

import msgspec

from ..agent.child_env import is_reserved
from . import yaml_text
from .plan import Command, shell

NAMES: Final = (".slipgate.yml", ".slipgate.yaml")
LARGEST_COMMANDS: Final = 20
_FIT: Final = r"^[^\0\ud800-\udfff]*\Z"
"""Of a text that an argument or a variable of a program can hold."""
_Line = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000, pattern=_FIT)]
_Arguments = Annotated[tuple[_Line, ...], msgspec.Meta(min_length=1, max_length=100)]
_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}\Z")]
_Tool = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z")]
_Path = Annotated[str, msgspec.Meta(pattern=r"^(?!/)(?!.*(?:^|/)\.\.(?:/|\Z))[^\0\n]{0,200}\Z")]


class _Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    run: _Line | _Arguments
    directory: _Path = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as it is written."""

    setup: tuple[object, ...] | None = None
    checks: tuple[object, ...] | None = None
    env: dict[_Name, Annotated[str, msgspec.Meta(max_length=4_000, pattern=_FIT)]] = {}
    tools: Annotated[tuple[_Tool, ...], msgspec.Meta(max_length=20)] = ()


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """The file's meaning."""

    setup: tuple[Command, ...] | None = None
    checks: tuple[Command, ...] | None = None
    environ: dict[str, str] = {}
    tools: tuple[str, ...] = ()


class Mistake(Exception):
    """A sentence about what is wrong in the file, with what would be right."""


def read(text: str) -> Declared:
    """Raises `Mistake`."""
    try:
        settings = msgspec.convert(yaml_text.parse(text) or {}, Settings)
    except (yaml_text.NotYaml, msgspec.ValidationError) as exc:
        raise Mistake(str(exc)) from exc
    if reserved := sorted(filter(is_reserved, settings.env)):
        raise Mistake(f"`env` must not set {', '.join(reserved)}: it is slipgate's or the image's")
    return Declared(
        setup=_commands("setup", settings.setup),
        checks=_commands("checks", settings.checks),
        environ=settings.env,
        tools=settings.tools,
    )


def _commands(name: str, given: tuple[object, ...] | None) -> tuple[Command, ...] | None:
    if given is None:
        return None
    if len(given) > LARGEST_COMMANDS:
        raise Mistake(f"`{name}` must hold at most {LARGEST_COMMANDS} commands")
    return tuple(_command(f"{name}[{at}]", each) for at, each in enumerate(given))


def _command(name: str, given: object) -> Command:
    """A line for the shell, an argument list, or one of them with its directory."""
    try:
        run = msgspec.convert(given if isinstance(given, dict) else {"run": given}, _Run)
    except msgspec.ValidationError as exc:
        wanted = "a line, a list of arguments, or {run: …, directory: …}"
        raise Mistake(f"`{name}` must be {wanted}: {exc}") from exc
    if isinstance(run.run, str):
        return shell(run.run, directory=run.directory)
    return Command(argv=run.run, directory=run.directory)
