"""Fields of messages as options: those of a new task, and those that choose tasks."""

import json
import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, get_args

import typer
from typer.core import TyperOption

from gateway.cli.console.times import seconds
from gateway.cli.http.options import CallingCommand
from gateway.wire.tasks import Effort, Engine, ModelProvider, OnStall
from gateway.wire.times import parse_rfc3339

Body = dict[str, Any]
_GIVEN: Final = "slipgate.fields"
"""The key under which the context of the command keeps the values, by path."""


class Field(NamedTuple):
    """A field of the message, and the option that sets it."""

    path: str
    """Its name in JSON; behind a dot, one of an object."""
    option: str
    """And, behind a space, another name of it."""
    help: str
    metavar: str
    read: Callable[[str], object] = str
    """`bool` for an option that takes no value."""
    collect: Callable[[Iterable[Any]], object] | None = None
    """For an option that may be given several times: makes one value of all."""
    panel: str = "Task"


def number(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number") from None


def dollars(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number of dollars, such as 2.5") from None


def moment(text: str) -> str:
    """A time with its zone as it is, or `+2h` from now."""
    if text.startswith("+"):
        at = datetime.now(UTC) + timedelta(seconds=seconds(text[1:]))
        return at.isoformat(timespec="seconds")
    if parse_rfc3339(text) is None:
        message = f"{text!r} is not a time such as 2026-01-31T12:00:00Z, or +2h from now"
        raise typer.BadParameter(message)
    return text


def arguments(text: str) -> list[str]:
    """An argument list: words as a shell splits them, or a list in JSON. No shell runs it."""
    try:
        words = json.loads(text) if text.lstrip().startswith("[") else shlex.split(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a command, or a list of words in JSON") from None
    return list(map(str, words))


def pair(text: str) -> tuple[str, str]:
    name, is_pair, value = text.partition("=")
    if not is_pair or not name:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


def variable(text: str) -> tuple[str, str]:
    """`NAME=VALUE`, or `NAME` for the value that this environment has."""
    if "=" in text:
        return pair(text)
    if text not in os.environ:
        raise typer.BadParameter(f"{text} is not set here: give {text}=VALUE")
    return text, os.environ[text]


def _one_of(kind: object) -> Callable[[str], str]:
    """A reader of one of the values of a Literal."""
    known = get_args(kind)

    def read(text: str) -> str:
        if text not in known:
            raise typer.BadParameter(f"{text!r} is none of {', '.join(known)}")
        return text

    return read


def _choice(path: str, option: str, text: str, kind: object, panel: str) -> Field:
    return Field(
        path, option, f"{text}: {', '.join(get_args(kind))}", "NAME", _one_of(kind), None, panel
    )


_AGENT: Final = "Agent"
_LIMITS: Final = "Limits"
_FILTER: Final = "Filter"
FIELDS: Final = (
    Field("prompt", "--prompt", "what the agent does; or --prompt-file", "TEXT"),
    Field("repoUrl", "--repo", "address of the repository", "URL"),
    Field("continueOf", "--continue-of", "ended task whose pull request goes on", "ID"),
    Field("title", "--title", "name in lists and of the pull request", "TEXT"),
    Field("baseBranch", "--base", "branch to begin from", "NAME"),
    Field("branchName", "--branch", "branch to push", "NAME"),
    Field("callbackUrl", "--callback", "address that receives the events", "URL"),
    Field("metadata", "--metadata", "kept and shown; several", "NAME=VALUE", pair, dict),
    Field("validate", "--validate", "check of the change; several", "COMMAND", arguments, list),
    _choice("agent.engine", "--engine", "program", Engine, _AGENT),
    _choice("agent.modelProvider", "--model-provider", "whose model", ModelProvider, _AGENT),
    Field("agent.model", "--model", "model", "NAME", panel=_AGENT),
    _choice("agent.effort", "--effort", "of the model's reasoning", Effort, _AGENT),
    Field("agent.command", "--command", "your own agent", "COMMAND", arguments, None, _AGENT),
    Field(
        "env", "--env", "variable; NAME alone: its value here", "NAME=VALUE", variable, dict, _AGENT
    ),
    Field("snapshot", "--snapshot", "snapshot of the sandbox", "NAME", panel=_AGENT),
    Field("provider", "--provider", "provider of the sandbox", "NAME", panel=_AGENT),
    Field("timeouts.runSeconds", "--timeout", "of a run: 30m, 2h", "TIME", seconds, None, _LIMITS),
    Field("timeouts.queueSeconds", "--queue-timeout", "to wait", "TIME", seconds, None, _LIMITS),
    Field(
        "timeouts.heartbeatSeconds",
        "--heartbeat-timeout",
        "of silence",
        "TIME",
        seconds,
        None,
        _LIMITS,
    ),
    Field("agent.maxTurns", "--max-turns", "turns of the agent", "N", number, None, _LIMITS),
    Field("agent.maxCostUsd", "--max-cost", "dollars of the model", "USD", dollars, None, _LIMITS),
    Field(
        "agent.maxRepairRounds",
        "--max-repair-rounds",
        "times a failed check goes back",
        "N",
        number,
        None,
        _LIMITS,
    ),
    Field("maxAttempts", "--max-attempts", "tries in all", "N", number, None, _LIMITS),
    Field("keepSandbox", "--keep-sandbox", "keep it after the end", "", bool, None, _AGENT),
    _choice("onStall", "--on-stall", "if the agent falls silent", OnStall, _LIMITS),
    Field("priority", "--priority", "0 to 9, the highest first", "N", number, None, _LIMITS),
    Field("notBefore", "--not-before", "a time with zone, or +2h", "TIME", moment, None, _LIMITS),
    Field(
        "concurrencyKey",
        "--concurrency-key",
        "tasks that take turns share it",
        "TEXT",
        panel=_LIMITS,
    ),
)
"""Of a new task."""
FILTER: Final = (
    Field("status", "--status", "states, separated by commas", "TEXT", panel=_FILTER),
    Field("flag", "--flag", "code of a flag, or any", "CODE", panel=_FILTER),
    Field("errorCode", "--error-code --error", "code of an error", "CODE", panel=_FILTER),
    Field("provider", "--provider", "provider of the sandbox", "NAME", panel=_FILTER),
    Field("snapshot", "--snapshot", "snapshot that they ask for", "NAME", panel=_FILTER),
    Field("launcherId", "--launcher", "launcher that took them", "ID", panel=_FILTER),
    Field("repoUrl", "--repo", "address of the repository", "URL", panel=_FILTER),
    Field("project", "--project", "project; needs an ops key", "NAME", panel=_FILTER),
    Field("metadata", "--metadata", "of the task; several", "NAME=VALUE", pair, dict, _FILTER),
    Field("createdAfter", "--created-after", "such as 2026-01-31T12:00:00Z", "TIME", panel=_FILTER),
    Field("createdBefore", "--created-before", "likewise", "TIME", panel=_FILTER),
)
"""Of lists and of bulk actions."""


def command_with(fields: Sequence[Field]) -> type[CallingCommand]:
    """The class of commands that have an option for each field."""

    class Command(CallingCommand):
        def __init__(self, name: str | None, **settings: Any) -> None:  # noqa: ANN401 - typer's own
            super().__init__(name, **settings)
            self.params = [*map(_option, fields), *self.params]

    return Command


def given_fields(context: typer.Context) -> Body:
    """The values of the options that were typed, by path."""
    return dict(context.meta.get(_GIVEN, {}))


def overlay(body: Body, given: Mapping[str, object]) -> Body:
    """The body with the given values in place of its own; objects of names and values add up."""
    changed = dict(body)
    for path, value in given.items():
        outer, _, inner = path.partition(".")
        if inner:
            changed[outer] = {**_object(changed.get(outer)), inner: value}
        elif isinstance(value, dict):
            changed[outer] = {**_object(changed.get(outer)), **value}
        else:
            changed[outer] = value
    return changed


def in_options(message: str) -> str:
    """A message of the gateway about fields, with the option of each in place of its path."""
    for field in sorted(FIELDS, key=lambda field: len(field.path), reverse=True):
        message = message.replace(f"$.{field.path}", field.option)
    return message


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _option(field: Field) -> TyperOption:
    def remember(context: typer.Context, _: object, value: Any) -> None:  # noqa: ANN401 - click's
        if not value and value != "":
            return
        read = field.collect(map(field.read, value)) if field.collect else field.read(value)
        context.meta.setdefault(_GIVEN, {})[field.path] = read

    is_flag = field.read is bool
    return TyperOption(
        param_decls=field.option.split(),
        is_flag=is_flag,
        default=False if is_flag else None,
        metavar=field.metavar or None,
        help=field.help,
        multiple=field.collect is not None,
        expose_value=False,
        callback=remember,
        rich_help_panel=field.panel,
    )
