"""`slipgate completion`: the script with which a shell completes commands and options."""

import os
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import typer

VARIABLE: Final = "_SLIPGATE_COMPLETE"
"""Set by the script when the shell asks for completions."""


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="the shell")],
) -> None:
    """Print the completion script of a shell.

    Example: slipgate completion bash > ~/.local/share/bash-completion/completions/slipgate

    Example: slipgate completion zsh > ~/.zfunc/_slipgate
    """
    from typer._completion_shared import (  # noqa: PLC0415 - for this command alone
        get_completion_script,
    )

    typer.echo(get_completion_script(prog_name="slipgate", complete_var=VARIABLE, shell=shell))


def words_to_complete(environ: Mapping[str, str] = os.environ) -> list[str] | None:
    """The words of the line that a shell asks to complete, without the program; None: it runs."""
    if VARIABLE not in environ:
        return None
    from typer._completion_classes import (  # noqa: PLC0415 - for this alone
        completion_init,
    )

    completion_init()
    return (environ.get("_TYPER_COMPLETE_ARGS") or environ.get("COMP_WORDS", "")).split()[1:]
