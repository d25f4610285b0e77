"""The parser of the command line: only the command that is typed is imported."""

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from gateway.cli.console.completion import VARIABLE, words_to_complete
from gateway.cli.console.output import AsJson, print_document
from gateway.cli.console.usage import usage_failures
from gateway.cli.http.options import CallingCommand, Chosen, chosen, connection_options, let_call
from gateway.cli.listing import COMMANDS, GROUPS, Listed
from gateway.cli.main import main

_VALUED: Final = frozenset({"--url", "--key", "--profile"})
"""Options before the command, each followed by its value."""


def run(words: Sequence[str]) -> None:
    """Runs the command that is typed, or prints completions for a shell."""
    chosen.set(Chosen())
    to_complete = words_to_complete()
    line = command_line(typed_command(words if to_complete is None else to_complete))
    line(args=words, prog_name="slipgate", complete_var=VARIABLE)


class CommandLine(TyperGroup):
    """All commands, listed in groups; the options that choose a gateway may stand before one."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(**settings)
        self.params += connection_options()

    def make_context(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - typer's own
        with usage_failures():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own
        with usage_failures():
            return super().invoke(ctx)

    def format_commands(self, _: Any, formatter: Any) -> None:  # noqa: ANN401 - typer's own
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(listed.name, listed.help) for listed in group], col_spacing=2)


def _version() -> str:
    from importlib.metadata import version as of  # noqa: PLC0415 - 40 ms, for this alone

    return of("slipgate")


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"slipgate {_version()}")
        raise typer.Exit


def version(as_json: AsJson = False) -> None:
    """Print the version.

    Example: slipgate version

    Example: slipgate version --json
    """
    if as_json:
        print_document({"version": _version()})
    else:
        _print_version(True)


def help(
    command: Annotated[list[str] | None, typer.Argument(metavar="[COMMAND]…")] = None,
) -> None:
    """Show the help of a command.

    Example: slipgate help

    Example: slipgate help tasks create
    """
    raise typer.Exit(main([*(command or ()), "--help"]))


def slipgate(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    """Run the coding tasks of a serverless frontend in sandboxes."""


def command_line(typed: str | None) -> typer.Typer:
    """All commands with their help; the typed one can run.

    Importing them all takes 0.5 s, and most imports serve one command only.
    """
    line = typer.Typer(
        name="slipgate",
        cls=CommandLine,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if typed else None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    line.callback()(slipgate)
    for listed in COMMANDS:
        _add(line, listed, is_typed=listed.name == typed)
    return line


def _add(line: typer.Typer, listed: Listed, *, is_typed: bool) -> None:
    command = getattr(import_module(listed.module), listed.attribute) if is_typed else None
    if listed.is_group:
        group = command or typer.Typer(help=listed.help)
        line.add_typer(let_call(group) if listed.is_calling else group, name=listed.name)
        return
    line.command(
        listed.name,
        cls=CallingCommand if listed.is_calling else None,
        help=None if is_typed else listed.help,
    )(command or _not_imported)


def _not_imported() -> None:
    """The function of a command that was not typed."""


def typed_command(words: Sequence[str]) -> str | None:
    """The name of the command among the words, behind the options of all commands."""
    rest = iter(words)
    for word in rest:
        if word in _VALUED:
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return None
