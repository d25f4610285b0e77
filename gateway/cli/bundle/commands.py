"""`slipgate bundle …`: run bundles on this machine."""

from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.bundle.archive import read
from gateway.cli.bundle.replay import replay as replay_bundle
from gateway.cli.console.output import AsJson, one_line, print_document
from gateway.cli.console.terminal import out, print_table

bundle: Final = typer.Typer(
    no_args_is_help=True,
    help="Replay run bundles.\n\nExample: slipgate bundle replay task_01k….tar.gz",
)


@bundle.callback()
def _group() -> None:
    """Keeps `replay` a command of the group, of which it is the only one."""


@bundle.command()
def replay(
    file: Annotated[Path, typer.Argument(help="written by `slipgate tasks bundle`")],
    repo: Annotated[
        str | None, typer.Option(help="clone or address to take instead of the task's repository")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Apply a bundle's patch to its base commit and run its checks again, without a model.

    The checks are the repository's own commands, confined as in a sandbox of this machine.

    Example: slipgate bundle replay task_01k….tar.gz --repo ~/src/widgets

    Example: slipgate bundle replay run.tar.gz --json
    """
    replayed = replay_bundle(read(file), repo)
    if as_json:
        print_document(replayed)
    else:
        rows = [(check.command, check.then, check.now) for check in replayed.checks]
        print_table(("check", "then", "now"), rows)
        out.print(one_line(f"{replayed.status}: {replayed.summary}"))
    if not replayed.same:
        raise typer.Exit(1)
