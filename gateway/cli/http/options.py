"""Options that many commands share: `--url`, `--key` and `--profile`, which choose the gateway that
a command calls, and `--dry-run` and `--reason` of changes."""

from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperOption

DryRun = Annotated[bool, typer.Option("--dry-run", help="show the outcome; change nothing")]
Reason = Annotated[str | None, typer.Option(help="why; kept in the audit log")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The values of the options."""

    url: str | None = None
    key: str | None = None
    profile: str | None = None


chosen: Final = ContextVar("chosen", default=Chosen())  # noqa: B039 - it is frozen
"""The values for the command that runs."""
_HELP: Final = {
    "url": "address of the gateway",
    "key": "API key of the gateway",
    "profile": "gateway of this name, see `slipgate login`",
}


class CallingCommand(TyperCommand):
    """A command that calls a gateway: it has the options, except those that it gives a meaning of
    its own."""

    def __init__(self, name: str | None, **settings: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(name, **settings)
        own = {option for param in self.params for option in param.opts}
        self.params += [option for option in connection_options() if option.opts[0] not in own]


def let_call(group: typer.Typer) -> typer.Typer:
    """Gives the options to all commands of a group."""
    for info in group.registered_commands:
        info.cls = info.cls if issubclass(info.cls or object, CallingCommand) else CallingCommand
    return group


def connection_options() -> list[TyperOption]:
    return [_option(name, text) for name, text in _HELP.items()]


def _option(name: str, text: str) -> TyperOption:
    def remember(_: object, __: object, value: str | None) -> None:
        if value is not None:
            chosen.set(replace(chosen.get(), **{name: value}))

    return TyperOption(
        param_decls=[f"--{name}"],
        metavar="NAME" if name == "profile" else name.upper(),
        help=text,
        expose_value=False,
        callback=remember,
        rich_help_panel="Gateway",
    )
