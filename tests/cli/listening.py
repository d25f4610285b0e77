"""`slipgate webhook listen` as a process, and what it has printed."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.forks.programs import slipgate

Line = dict[str, Any]


class Listening:
    """The process; its lines are JSON."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.told: list[str] = []
        """Lines of stderr before the awaited one."""

    def says(self, text: str) -> str:
        """The next line on stderr that holds this."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.told.append(line)
            if text in line:
                return line
        raise AssertionError(f"it ended without {text!r}: {self.told}")

    def line(self) -> Line:
        """The next line on stdout."""
        assert self._process.stdout is not None
        found: Line = msgspec.json.decode(self._process.stdout.readline())
        return found

    def lines(self, count: int) -> list[Line]:
        """The next so many."""
        return [self.line() for _ in range(count)]

    def kill(self) -> None:
        """At once, whatever it does; nothing holds its pipes any more."""
        self._process.kill()
        self._process.communicate()

    def interrupt(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Ctrl-C; how it ends, and what it still says."""
        self._process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, str, str]:
        """Waits for its end."""
        out, err = self._process.communicate(timeout=60)
        return self._process.returncode, out, err


@contextmanager
def listening(
    *words: str, environ: Mapping[str, str], folder: Path, as_json: bool = True
) -> Iterator[Listening]:
    """The process, from its start to its end."""
    bare = {name: text for name, text in os.environ.items() if not name.startswith("SLIPGATE_")}
    command = [slipgate(), "webhook", "listen", *words]
    with subprocess.Popen(
        [*command, "--json"] if as_json else command,
        cwd=folder,
        env={**bare, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Listening(process)
        finally:
            process.kill()
