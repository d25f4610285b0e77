"""The process that forks the workers of a run of the tests: it has collected the tests, so that a
worker finds everything imported. One costs 0.6 s of processor time, not 5."""

import contextlib
import io
import sys

import pytest

from tests.forks import server


def work() -> None:
    """In a fork: what execnet asks of an interpreter, `python -u -c …`."""
    exec(sys.argv[-1], {})  # noqa: S102 - as `python -c` does it


def main(path: str, *arguments: str) -> None:
    """Until nobody holds the other end of its standard input."""
    with contextlib.redirect_stdout(io.StringIO()):
        # An error is found by each worker again, and is shown there.
        pytest.main(["--collect-only", "-p", "no:cacheprovider", *arguments])
    server.main(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
