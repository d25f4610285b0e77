"""Usage errors of the parser, as failures in the command line's own words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from typer._click.exceptions import (  # what typer raises and does not export
    BadParameter,
    MissingParameter,
    NoArgsIsHelpError,
    NoSuchOption,
    UsageError,
)

from gateway.cli.console.output import USAGE, CommandFailed

_PROBLEM: Final = {"code": "usage"}


@contextmanager
def usage_failures() -> Iterator[None]:
    """Raises a usage error as a `CommandFailed`; the help of a group that is typed alone stays."""
    try:
        yield
    except NoArgsIsHelpError:
        raise
    except UsageError as error:
        command = error.ctx.command_path if error.ctx else "slipgate"
        next_step = f"Try `{command} -h` for help."
        raise CommandFailed(
            _message(error), next_step, exit_code=USAGE, problem=_PROBLEM
        ) from error


def _message(error: UsageError) -> str:
    match error:
        case NoSuchOption():
            near = " or ".join(sorted(error.possibilities or ()))
            hint = f" Did you mean {near}?" if near else ""
            return f"There is no option {error.option_name}.{hint}"
        case MissingParameter():
            return f"{_name(error)} is missing{_choices(error)}."
        case BadParameter():
            return f"{_name(error)}: {error.message.rstrip('.')}."
        case _:
            return error.format_message()


def _name(error: BadParameter) -> str:
    """The option or argument, as it is typed."""
    if isinstance(error.param_hint, str):
        return error.param_hint
    param = error.param
    if param is None:
        return "A value"
    return param.opts[0] if param.param_type_name == "option" else param.human_readable_name


def _choices(error: BadParameter) -> str:
    choices = getattr(error.param and error.param.type, "choices", ())
    return f": give one of {', '.join(map(str, choices))}" if choices else ""
