"""Errors as failures of a command; imported only when there is one."""

import sqlite3
from typing import Final

from gateway.cli.console.output import USAGE, CommandFailed
from gateway.domain.kernel.errors import ApiError
from gateway.wire.environment import SettingsError

KNOWN: Final = (CommandFailed, SettingsError, ApiError, sqlite3.DatabaseError, OSError)


def failure_of(error: BaseException) -> CommandFailed | None:
    """The failure to show; None: it is a bug, and its traceback is what helps."""
    match error:
        case CommandFailed():
            return error
        case SettingsError():
            next_step = "Set these variables and start again."
            return CommandFailed(str(error), next_step, exit_code=USAGE)
        case ApiError():
            return CommandFailed(error.detail, error.hint or "", problem={"code": error.code})
        case sqlite3.DatabaseError():
            return CommandFailed(
                f"The database cannot be used: {error}.",
                "Check that SLIPGATE_DATABASE_URL names a slipgate database, and is writable.",
            )
        case OSError() if error.filename is not None:
            return CommandFailed(
                f"{error.filename}: {error.strerror}.",
                "Check that its folder exists, and that you may write there.",
            )
        case _:
            return None
