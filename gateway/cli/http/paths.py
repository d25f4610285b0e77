"""Ids as arguments of commands, and in the paths that these call."""

from typing import Annotated

import typer

from gateway.cli.console.output import CommandFailed

TaskId = Annotated[str, typer.Argument(metavar="ID", help="task_…")]
EndpointId = Annotated[str, typer.Argument(metavar="ID", help="ep_…")]


def task_path(task_id: str) -> str:
    return f"/v1/tasks/{path_part(task_id, of='tasks list')}"


def endpoint_path(endpoint_id: str) -> str:
    return f"/v1/endpoints/{path_part(endpoint_id, of='endpoints list')}"


def path_part(text: str, *, of: str, also: str = "") -> str:
    """An id as one segment of a path, so that it cannot be another path; `of` is the command that
    prints such ids, and `also` are characters that they have beside those of all ids.

    Raises:
        CommandFailed: it holds a character that no id has.
    """
    known = f"_-{also}"
    is_id = all(char.isascii() and (char.isalnum() or char in known) for char in text)
    if not is_id or not text.strip("."):  # nor a way to another folder
        raise CommandFailed(f"{text!r} is not an id.", f"Take one from `slipgate {of}`.")
    return text
