"""The programs of the command line, and what an operator sees of their errors."""

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.cli.console.output import CommandFailed

DONE, FAILED, INTERRUPTED = 0, 1, 130
_SERVER: Final = ["gateway"]
"""The words that start a gateway."""


def _print_in_any_encoding() -> None:
    """Escapes characters that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _known_errors() -> tuple[type[BaseException], ...]:
    """The errors that people can mend; a command that succeeds need not import them (30 ms)."""
    from gateway.cli.console.failures import KNOWN  # noqa: PLC0415 - see above

    return KNOWN


def _failure_of(error: BaseException) -> "CommandFailed | None":
    from gateway.cli.console.failures import failure_of  # noqa: PLC0415 - as above

    return failure_of(error)


def _fail(error: "CommandFailed", *, as_json: bool) -> int:
    if as_json:
        from gateway.cli.console.output import print_problem  # noqa: PLC0415 - 20 ms

        print_problem(error)
    else:
        from gateway.cli.console.terminal import print_failure  # noqa: PLC0415 - 40 ms

        print_failure(error)
    return error.exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    _print_in_any_encoding()
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _run(words)
    except SystemExit as exit_:  # typer ends a command so, a usage error with 2
        return exit_.code if isinstance(exit_.code, int) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except _known_errors() as error:
        failure = _failure_of(error)
        if failure is None:
            raise
        return _fail(failure, as_json="--json" in words)
    return DONE


def _run(words: list[str]) -> None:
    if words == _SERVER:
        # The parser and its list of commands are a tenth of a gateway's start.
        from gateway.cli.server_process import run_server  # noqa: PLC0415 - for this alone

        run_server()
    else:
        from gateway.cli.command_line import run  # noqa: PLC0415 - see above

        run(words)
