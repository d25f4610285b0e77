"""Sandboxes that run: the entrypoint as a real process in a directory of its own."""

import asyncio
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

LOG = Path(".daytona/sessions/entrypoint/entrypoint_command/output.log")
"""Where the daemon keeps what the entrypoint prints, in the home of the image's user. At each start
it is made anew, and `cmd.sh` is written; `exit_code` beside it gets one more line at the end. A
daemon that is stopped takes all away, one that is killed leaves them to the next start (seen:
v0.190)."""

STDOUT = b"\x01\x01\x01"
"""Stands before each piece that the entrypoint wrote to its standard output (b"\\x02\\x02\\x02":
to its errors); here before the first."""


class Executed(NamedTuple):
    """How a command ended; output and errors come in one stream."""

    exit_code: int
    result: str


class Machine:
    """Where the processes of all sandboxes live."""

    def __init__(
        self,
        folder: Path,
        program: Sequence[str] | None = None,
        path: str = os.defpath,
        *,
        app: Path | None = None,
        has_shell: bool = False,
    ) -> None:
        self._folder = folder
        self._app = app
        """Where the image's /app is on this host."""
        self._has_shell = has_shell
        """Whether its daemon hands a command to a shell on standard input (seen: v0.190), or takes
        it apart itself."""
        self._path = path
        """Where programs are in the image."""
        self._program = program
        """What runs for a snapshot's entrypoint; None: nothing does."""
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._noted: set[int] = set()
        """Processes whose exit code is written down."""

    def home(self, sandbox_id: str) -> Path:
        """The directory of a sandbox."""
        home = self._folder / sandbox_id
        home.mkdir(parents=True, exist_ok=True)
        return home

    async def start(self, sandbox_id: str, env: Mapping[str, str]) -> None:
        """Runs the entrypoint, once for each start; when it exits the sandbox goes on."""
        if self._program is None or sandbox_id in self._running:
            return
        path = self.home(sandbox_id) / LOG
        path.parent.mkdir(parents=True, exist_ok=True)
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
        """The entrypoint's; None while it runs."""
        running = self._running.get(sandbox_id)
        return None if running is None else running.returncode

    def log(self, sandbox_id: str) -> str:
        """What the entrypoint printed."""
        path = self.home(sandbox_id) / LOG
        return path.read_text(errors="replace") if path.exists() else ""

    async def execute(
        self, sandbox_id: str, env: Mapping[str, str], command: str, timeout: float
    ) -> Executed:
        """A command line, run as the daemon does it.

        Raises:
            TimeoutError: a recent one ended it because its time was over.
        """
        self._note_end(sandbox_id)
        if self._app is not None:
            command = command.replace("/app/", f"{self._app}/")
        process = await asyncio.create_subprocess_exec(
            *(("sh",) if self._has_shell else words(command)),
            cwd=self.home(sandbox_id),
            env=self._environment(sandbox_id, env),
            stdin=asyncio.subprocess.PIPE if self._has_shell else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            told = command.encode() if self._has_shell else None
            output, _ = await asyncio.wait_for(process.communicate(told), timeout)
        except TimeoutError:
            _kill(process)
            await process.wait()
            if self._has_shell:
                raise
            return Executed(exit_code=-1, result="command execution timeout")
        return Executed(exit_code=process.returncode or 0, result=output.decode(errors="replace"))

    def _note_end(self, sandbox_id: str) -> None:
        """The daemon writes the exit code down when the entrypoint ends; here, before anybody can
        look."""
        running = self._running.get(sandbox_id)
        if running is None or running.returncode is None or running.pid in self._noted:
            return
        self._noted.add(running.pid)
        with (self.home(sandbox_id) / LOG).with_name("exit_code").open("a") as file:
            file.write(f"{running.returncode}\n")

    async def stop(self, sandbox_id: str) -> None:
        """The daemon is asked to end."""
        await self.end(sandbox_id)
        shutil.rmtree((self.home(sandbox_id) / LOG).parent, ignore_errors=True)

    async def end(self, sandbox_id: str) -> None:
        """Nothing of the sandbox runs any more, not even its daemon, which was not asked."""
        self._note_end(sandbox_id)
        running = self._running.pop(sandbox_id, None)
        if running is not None:
            _kill(running)
            await running.wait()

    async def close(self) -> None:
        """Ends them all."""
        for sandbox_id in list(self._running):
            await self.end(sandbox_id)

    def _environment(self, sandbox_id: str, env: Mapping[str, str]) -> dict[str, str]:
        state = str(self.home(sandbox_id) / "state")
        return {
            "PATH": self._path,
            "HOME": str(self.home(sandbox_id)),
            "SLIPGATE_PYTHON": sys.executable,
            "DAYTONA_SANDBOX_ID": sandbox_id,
            **env,
            "SLIPGATE_STATE_DIR": env.get("SLIPGATE_STATE_DIR", state),
        }


def words(command: str) -> list[str]:
    """Split at spaces outside of quotes of either kind; nothing else has a meaning."""
    found: list[str] = []
    word, quote = "", ""
    for letter in command:
        if quote:
            word, quote = (word, "") if letter == quote else (word + letter, quote)
        elif letter in "\"'":
            quote = letter
        elif letter == " ":
            found, word = ([*found, word], "") if word else (found, "")
        else:
            word += letter
    return [*found, word] if word else found


def _kill(process: asyncio.subprocess.Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
