"""Child processes of `up` and `demo`, started and stopped in order."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import httpx

from gateway.cli.console.output import CommandFailed
from gateway.cli.http.client import open_http
from gateway.wire.environment import SettingsError

GRACE: Final = 20.0
"""Seconds a child has to drain before it is killed."""
GATEWAY: Final = (sys.executable, "-m", "gateway", "gateway")
LAUNCHER: Final = (sys.executable, "-m", "launcher")
DOCTOR: Final = (sys.executable, "-m", "launcher.doctor")
SNAPSHOTS: Final = (sys.executable, "-m", "launcher.snapshots")


class Child:
    """One of our programs, with its output in a file."""

    def __init__(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts it in a session of its own: Ctrl-C reaches it through us, in our order."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Sends SIGTERM, and SIGKILL if it does not drain in time. Safe twice."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Sends SIGKILL and waits for its end."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    @property
    def pid(self) -> int:
        """The process id; 0 before the start."""
        return 0 if self._process is None else self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._process is None else self._process.poll()

    def check(self) -> None:
        """Raises `CommandFailed`, with the end of its output, if it has ended."""
        if self.exit_code is not None:
            raise CommandFailed(
                f"The {self.name} ended with exit code {self.exit_code}:\n{self.tail()}",
                f"Read its whole output in {self.log}.",
            )

    def tail(self, lines: int = 12) -> str:
        """The last lines of its output."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Programs:
    """Their commands, and the class of the processes of gateway and launcher."""

    gateway: tuple[str, ...] = GATEWAY
    launcher: tuple[str, ...] = LAUNCHER
    doctor: tuple[str, ...] = DOCTOR
    snapshots: tuple[str, ...] = SNAPSHOTS
    child: type[Child] = Child


programs: Final = ContextVar("programs", default=Programs())  # noqa: B039 - they are frozen
"""The programs that this command line starts."""


def wait_until_ready(url: str, child: Child, *, seconds: float = 60.0) -> None:
    """Waits until `/readyz` answers 200.

    Raises:
        CommandFailed: the child ended, or the time is over.
    """
    with open_http(url, timeout=2) as http:

        def is_ready() -> bool:
            child.check()
            try:
                return http.get("/readyz").status_code == 200
            except httpx.HTTPError:
                return False

        wait_for(is_ready, f"the gateway at {url} to be ready", child, seconds)


def wait_for(is_true: Callable[[], bool], what: str, child: Child, seconds: float) -> None:
    """Waits until a condition holds; raises `CommandFailed` when the time is over."""
    end = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end:
            raise CommandFailed(
                f"Waited {seconds:.0f} s for {what}.\n{child.tail()}",
                f"Read the output of the {child.name} in {child.log}.",
            )
        time.sleep(0.05)


def check_launcher(environ: Mapping[str, str]) -> None:
    """Has the launcher check its settings before anything is started.

    Raises:
        SettingsError: it would not start with them.
    """
    command = [*programs.get().launcher, "--check"]
    done = subprocess.run(command, env=dict(environ), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SettingsError(done.stderr.strip().splitlines())


def check_free(port: int) -> None:
    """Checks that nothing listens on a port: its answers would pass for those of our child.

    Raises:
        CommandFailed: the port is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as exc:
            raise CommandFailed(
                f"Port {port} of this machine cannot be used: {exc.strerror}.",
                "Stop what listens there (another `slipgate up`?), or choose another by --port.",
            ) from exc


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def without_slipgate(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment without our own variables: a child gets only those that it is given."""
    return {name: value for name, value in environ.items() if not name.startswith("SLIPGATE_")}


def interrupt_self() -> None:
    """Interrupts the main thread of this process as Ctrl-C does, from any thread."""
    os.kill(os.getpid(), signal.SIGINT)


def stop_on_signals() -> None:
    """Makes SIGTERM, and a terminal that is closed, stop as Ctrl-C does: in order, and no child
    stays behind."""
    # A shell starts what it puts into the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # else `nohup` wants it to go on
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGINT))
