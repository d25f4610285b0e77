"""The list of all commands; only the one that is typed is imported."""

import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Final

import typer

from gateway.cli.console.output import CommandFailed
from gateway.domain.kernel.errors import ApiError
from gateway.wire.environment import SettingsError

DONE, FAILED, USAGE = 0, 1, 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A command, or a group of commands, that is imported when it is typed."""

    name: str
    module: str
    help: str
    """One line of at most 62 characters, so that 80 columns show it whole."""
    is_group: bool = False
    is_handed_over: bool = False
    """Its options, help included, are the business of another program."""


COMMANDS: Final = (
    Listed(
        name="gateway",
        module="gateway.cli.programs",
        help="Run the gateway; its settings are SLIPGATE_* variables.",
    ),
    Listed(
        name="launcher",
        module="gateway.cli.programs",
        help="Run a launcher against SLIPGATE_URL with SLIPGATE_API_KEY.",
    ),
    Listed(
        name="doctor",
        module="gateway.cli.programs",
        help="Check the launcher's environment; --live makes a sandbox.",
        is_handed_over=True,
    ),
    Listed(
        name="snapshot",
        module="gateway.cli.programs",
        help="Build, push and check the snapshot of Daytona's sandboxes.",
        is_handed_over=True,
    ),
    Listed(
        name="up",
        module="gateway.cli.local.up",
        help="Run a gateway and a launcher; Ctrl-C stops them in order.",
    ),
    Listed(
        name="demo",
        module="gateway.cli.local.demo",
        help="Run one task end to end on this machine, with a kill inside.",
    ),
    Listed(
        name="migrate",
        module="gateway.cli.operations.database",
        help="Bring the database to this version's schema.",
    ),
    Listed(
        name="verify",
        module="gateway.cli.operations.database",
        help="Check the database against every promise; a gateway may run.",
    ),
    Listed(
        name="backup",
        module="gateway.cli.operations.database",
        help="Copy the database, checked, beside a gateway that may run.",
    ),
    Listed(
        name="reconcile",
        module="gateway.cli.operations.launchers",
        help="Show what the reconciler would do now; needs an ops key.",
    ),
    Listed(
        name="sweep",
        module="gateway.cli.operations.sweep",
        help="Remove sandboxes that nobody wants; needs an ops key.",
    ),
    Listed(
        name="launchers",
        module="gateway.cli.operations.launchers",
        help="List who runs sandboxes.",
        is_group=True,
    ),
    Listed(
        name="endpoints",
        module="gateway.cli.deliveries.endpoints",
        help="Make and change who is told of a project's events.",
        is_group=True,
    ),
    Listed(
        name="deliveries",
        module="gateway.cli.deliveries.deliveries",
        help="List deliveries and send them again.",
        is_group=True,
    ),
    Listed(
        name="keys",
        module="gateway.cli.operations.keys",
        help="Make, list and revoke API keys; rewrap under a new master key.",
        is_group=True,
    ),
    Listed(
        name="tasks",
        module="gateway.cli.tasks.commands",
        help="Create, watch and steer tasks.",
        is_group=True,
    ),
    Listed(
        name="webhook",
        module="gateway.cli.webhook.commands",
        help="Sign, verify, receive and forward webhooks.",
        is_group=True,
    ),
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version  # noqa: PLC0415 - 40 ms, for this option alone

        typer.echo(f"slipgate {version('slipgate')}")
        raise typer.Exit


def slipgate(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="say which")
    ] = False,
) -> None:
    """The gate between a serverless frontend and the sandboxes of its coding tasks."""


def command_line(typed: str | None) -> typer.Typer:
    """All commands by name and help, of which the typed one can run.

    To import them all takes 0.5 s, and most of what they import only one of them needs.
    """
    line = typer.Typer(
        name="slipgate",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if typed else None,
    )
    line.callback()(slipgate)
    for listed in COMMANDS:
        _add(line, listed, is_typed=listed.name == typed)
    return line


def _add(line: typer.Typer, listed: Listed, *, is_typed: bool) -> None:
    found = getattr(import_module(listed.module), listed.name) if is_typed else None
    if listed.is_group:
        line.add_typer(found or typer.Typer(), name=listed.name, help=listed.help)
        return
    options = {"allow_extra_args": True, "ignore_unknown_options": True}
    line.command(
        listed.name,
        help=None if is_typed else listed.help,
        context_settings=options if listed.is_handed_over else None,
        add_help_option=not listed.is_handed_over,
    )(found or _not_imported)


def _not_imported() -> None:
    """Stands for a command that was not typed."""


def _print_in_any_encoding() -> None:
    """A letter that the terminal's encoding lacks is no reason to end."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _failed(error: CommandFailed) -> int:
    from gateway.cli.console.terminal import print_failure  # noqa: PLC0415 - 40 ms that no help needs

    print_failure(error)
    return FAILED


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code: 0 done, 1 refused or failed, 2 usage."""
    _print_in_any_encoding()
    words = sys.argv[1:] if arguments is None else arguments
    typed = next((word for word in words if not word.startswith("-")), None)
    try:
        command_line(typed)(args=words)
    except CommandFailed as error:
        return _failed(error)
    except SettingsError as error:
        _failed(CommandFailed(str(error), "Set these variables and start again."))
        return USAGE
    except ApiError as refusal:
        return _failed(CommandFailed(refusal.detail, refusal.hint or ""))
    except sqlite3.DatabaseError as error:
        what_now = "Look at SLIPGATE_DATABASE_URL: is it a slipgate database, and writable?"
        return _failed(CommandFailed(f"The database cannot be used: {error}.", what_now))
    except OSError as error:
        if error.filename is None:
            raise
        what_now = "Does its folder exist, and may you write there?"
        return _failed(CommandFailed(f"{error.filename}: {error.strerror}.", what_now))
    except SystemExit as ending:  # how typer ends a command, a usage error with 2
        return ending.code if isinstance(ending.code, int) else FAILED
    return DONE
