"""Sandboxes that run: the entrypoint as a real process in a directory of its own."""

import asyncio
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.daytona.releases import (
    COMMAND_FILE_SINCE,
    COMMANDS_IN_SHELL_SINCE,
    ENDS_GROUPS_SINCE,
    ENTRYPOINT_IN_SESSION_SINCE,
    LAST_DAEMON,
    Version,
)

LOG = Path(".daytona/sessions/entrypoint/entrypoint_command/output.log")
"""The daemon's log of the entrypoint, in the home of the image's user. Each start writes a new one
and `cmd.sh`; each end adds a line to `exit_code` beside it. A stopped daemon removes all of it, a
killed one leaves it to the next start (since v0.153)."""
OLD_LOG = Path("daytona-entrypoint.log")
"""The log before v0.153, at whose end the daemon tells of the entrypoint's: really in /tmp, which
sandboxes here share, or where a variable says."""

GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL."""
STDOUT = b"\x01\x01\x01"
"""Precedes each piece of standard output in the log (b"\\x02\\x02\\x02": of standard error); here
only the first."""


class Executed(NamedTuple):
    """Result of a command; output and errors are one stream."""

    exit_code: int
    result: str


class Machine:
    """The processes of all sandboxes."""

    def __init__(
        self,
        folder: Path,
        program: Sequence[str] | None = None,
        path: str = os.defpath,
        *,
        app: Path | None = None,
        release: Version = LAST_DAEMON,
    ) -> None:
        self._folder = folder
        self._app = app
        """The image's /app on this host."""
        self.release = release
        """Of the daemon."""
        self._has_shell = release >= COMMANDS_IN_SHELL_SINCE
        """True if the daemon gives a command to a shell on standard input, else splits it itself.
        """
        self._path = path
        """The image's PATH."""
        self._program = program
        """Command in place of a snapshot's entrypoint; None: none."""
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._noted: set[int] = set()
        """Processes whose exit code is recorded."""

    def home(self, sandbox_id: str) -> Path:
        """The directory of a sandbox."""
        home = self._folder / sandbox_id
        home.mkdir(parents=True, exist_ok=True)
        return home

    async def start(self, sandbox_id: str, env: Mapping[str, str]) -> None:
        """Runs the entrypoint once per start; the sandbox outlives its exit."""
        if self._program is None or sandbox_id in self._running:
            return
        path = self.log_file(sandbox_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.release >= COMMAND_FILE_SINCE:
            path.with_name("cmd.sh").write_text(shlex.join(self._program))
        with path.open("wb") as log:
            log.write(STDOUT)
            log.flush()
            self._running[sandbox_id] = await asyncio.create_subprocess_exec(
                *self._program,
                cwd=self.home(sandbox_id),
                env=self._environment(sandbox_id, env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def exit_code(self, sandbox_id: str) -> int | None:
        """The exit code of the entrypoint; None while it runs."""
        running = self._running.get(sandbox_id)
        return None if running is None else running.returncode

    def log(self, sandbox_id: str) -> str:
        """Output of the entrypoint."""
        path = self.log_file(sandbox_id)
        return path.read_text(errors="replace") if path.exists() else ""

    def log_file(self, sandbox_id: str) -> Path:
        """The daemon's record of the entrypoint."""
        is_in_session = self.release >= ENTRYPOINT_IN_SESSION_SINCE
        return self.home(sandbox_id) / (LOG if is_in_session else OLD_LOG)

    async def execute(
        self, sandbox_id: str, env: Mapping[str, str], command: str, timeout: float | None
    ) -> Executed:
        """Runs a command line as the daemon does; raises `TimeoutError` if the daemon ended it."""
        self._note_end(sandbox_id)
        if self._app is not None:
            command = command.replace("/app/", f"{self._app}/")
        try:
            process = await asyncio.create_subprocess_exec(
                *(("sh",) if self._has_shell else words(command)),
                cwd=self.home(sandbox_id),
                env=self._environment(sandbox_id, env),
                stdin=asyncio.subprocess.PIPE if self._has_shell else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            return Executed(exit_code=-1, result="")
        reading = asyncio.ensure_future(
            process.communicate(command.encode() if self._has_shell else None)
        )
        done, _ = await asyncio.wait((reading,), timeout=timeout)
        if not done and self.release >= ENDS_GROUPS_SINCE:
            _kill(process)
        elif not done:
            process.kill()
        output, _ = await reading
        if not done:
            raise TimeoutError
        return Executed(
            exit_code=max(process.returncode or 0, -1), result=output.decode(errors="replace")
        )

    def _note_end(self, sandbox_id: str) -> None:
        """Records the exit code before anybody can read it; the real daemon does so at the end."""
        running = self._running.get(sandbox_id)
        if running is None or running.returncode is None or running.pid in self._noted:
            return
        self._noted.add(running.pid)
        path, code = self.log_file(sandbox_id), running.returncode
        note = f"{code if code >= 0 else 128 - code}"
        if self.release < ENTRYPOINT_IN_SESSION_SINCE:
            how = f"exit status {code}" if code > 0 else "signal: killed"
            error = f"Command exited with error: {how}"
            note = error if code else "Entrypoint command completed successfully"
        else:
            path = path.with_name("exit_code")
        with path.open("a") as file:
            file.write(f"{note}\n")

    async def stop(self, sandbox_id: str) -> None:
        """Ends a sandbox by its daemon: since v0.153 it first asks the entrypoint to end, and then
        removes its record of it."""
        is_in_session = self.release >= ENTRYPOINT_IN_SESSION_SINCE
        running = self._running.get(sandbox_id)
        if running is not None and is_in_session:
            _signal(running, signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(running.wait(), GRACE_SECONDS)
        await self.end(sandbox_id)
        if is_in_session:
            shutil.rmtree(self.log_file(sandbox_id).parent, ignore_errors=True)

    async def end(self, sandbox_id: str) -> None:
        """Kills all processes of the sandbox, and its daemon."""
        self._note_end(sandbox_id)
        running = self._running.pop(sandbox_id, None)
        if running is not None:
            _kill(running)
            await running.wait()

    async def close(self) -> None:
        for sandbox_id in list(self._running):
            await self.end(sandbox_id)

    def _environment(self, sandbox_id: str, env: Mapping[str, str]) -> dict[str, str]:
        state = str(self.home(sandbox_id) / "state")
        return {
            "PATH": self._path,
            "HOME": str(self.home(sandbox_id)),
            "SLIPGATE_PYTHON": sys.executable,
            "DAYTONA_SANDBOX_ID": sandbox_id,
            "DAYTONA_ENTRYPOINT_LOG_FILE_PATH": str(self.home(sandbox_id) / OLD_LOG),
            **env,
            "SLIPGATE_STATE_DIR": env.get("SLIPGATE_STATE_DIR", state),
        }


def words(command: str) -> list[str]:
    """Splits at spaces outside of quotes of either kind; nothing else is special."""
    found: list[str] = []
    word, quote = "", ""
    for character in command:
        if quote:
            word, quote = (word, "") if character == quote else (word + character, quote)
        elif character in "\"'":
            quote = character
        elif character == " ":
            found, word = ([*found, word], "") if word else (found, "")
        else:
            word += character
    return [*found, word] if word else found


def _kill(process: asyncio.subprocess.Process) -> None:
    _signal(process, signal.SIGKILL)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
