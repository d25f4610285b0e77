"""The list of all commands."""

import os
import sqlite3
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Final

import typer

from gateway.cli.database import backup, migrate, verify
from gateway.cli.deliveries import deliveries
from gateway.cli.demo import demo
from gateway.cli.endpoints import endpoints
from gateway.cli.keys import keys
from gateway.cli.operations import launchers, reconcile
from gateway.cli.output import CommandFailed, print_failure, screen
from gateway.cli.sweep import sweep
from gateway.cli.tasks import tasks
from gateway.cli.up import TakeOver, up
from gateway.cli.webhook.commands import webhook
from gateway.domain.errors import Refused
from gateway.settings import SettingsError, read_settings

DONE, FAILED, USAGE = 0, 1, 2

commands: Final = typer.Typer(
    name="slipgate",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        screen.print(f"slipgate {version('slipgate')}", markup=False, highlight=False)
        raise typer.Exit


@commands.callback()
def slipgate(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="say which")
    ] = False,
) -> None:
    """The gate between a serverless frontend and the sandboxes of its coding tasks."""


@commands.command()
def gateway(take_over: TakeOver = False) -> None:
    """Run the gateway; its settings are SLIPGATE_* variables."""
    # The server's imports would cost every other command half a second.
    from gateway.server import serve  # noqa: PLC0415

    serve(read_settings(os.environ), take_over=take_over)


@commands.command()
def launcher(
    once: Annotated[bool, typer.Option("--once", help="claim one time, then exit")] = False,
    job: Annotated[str | None, typer.Option(help="claim this very job, then exit")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="only say what is wrong with the settings, then exit")
    ] = False,
) -> None:
    """Run a launcher against SLIPGATE_URL with SLIPGATE_API_KEY."""
    arguments = ["--once"] if once else []
    arguments += ["--check"] if check else []
    arguments += [f"--job={job}"] if job else []
    _hand_over("launcher", arguments)


_AS_TYPED: Final = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Options are the business of the program that is handed over to, its help included."""


@commands.command(context_settings=_AS_TYPED, add_help_option=False)
def doctor(context: typer.Context) -> None:
    """Look for what can be wrong, with the launcher's environment; --live makes a sandbox."""
    _hand_over("launcher.doctor", context.args)


@commands.command(context_settings=_AS_TYPED, add_help_option=False)
def snapshot(context: typer.Context) -> None:
    """Make and check the snapshot of Daytona's sandboxes: build, push, check."""
    _hand_over("launcher.snapshots", context.args)


def _hand_over(module: str, arguments: Sequence[str]) -> None:
    """To a program that has credentials: this one never sees them."""
    words = [sys.executable, "-m", module, *arguments]
    os.execv(sys.executable, words)  # noqa: S606 - our own program, an argument list


commands.command()(up)
commands.command()(demo)
commands.command()(migrate)
commands.command()(verify)
commands.command()(backup)
commands.command()(reconcile)
commands.command()(sweep)
commands.add_typer(launchers, name="launchers")
commands.add_typer(endpoints, name="endpoints")
commands.add_typer(deliveries, name="deliveries")
commands.add_typer(keys, name="keys")
commands.add_typer(tasks, name="tasks")
commands.add_typer(webhook, name="webhook")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code: 0 done, 1 refused or failed, 2 usage."""
    try:
        commands(args=arguments)
    except CommandFailed as error:
        print_failure(error)
        return FAILED
    except SettingsError as error:
        print_failure(CommandFailed(str(error), "Set these variables and start again."))
        return USAGE
    except Refused as refusal:
        print_failure(CommandFailed(refusal.detail, refusal.hint or ""))
        return FAILED
    except sqlite3.DatabaseError as error:
        what_now = "Look at SLIPGATE_DATABASE_URL: is it a slipgate database, and writable?"
        print_failure(CommandFailed(f"The database cannot be used: {error}.", what_now))
        return FAILED
    except OSError as error:
        if error.filename is None:
            raise
        what_now = "Does its folder exist, and may you write there?"
        print_failure(CommandFailed(f"{error.filename}: {error.strerror}.", what_now))
        return FAILED
    except SystemExit as ending:  # how typer ends a command, a usage error with 2
        return ending.code if isinstance(ending.code, int) else FAILED
    return DONE
