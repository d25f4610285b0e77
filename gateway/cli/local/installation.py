"""A gateway and a launcher on this machine, as `up`, `dev` and `init` run them."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

import httpx

from gateway.cli.console.output import CommandFailed
from gateway.cli.console.terminal import note
from gateway.cli.http.client import open_http
from gateway.cli.http.connection import Connection
from gateway.cli.local.env_files import with_files
from gateway.cli.local.environments import (
    HOST,
    KNOWN,
    LOCAL,
    OF_PROVIDERS,
    check_own,
    gateway_environ,
    launcher_environ,
    launcher_key,
    public_url_of,
)
from gateway.cli.local.processes import (
    Child,
    check_free,
    check_launcher,
    interrupt_self,
    programs,
    stop_on_signals,
    wait_until_ready,
)
from gateway.cli.local.shortcomings import shortcomings
from gateway.cli.local.state import State
from gateway.cli.operations.minting import is_live, mint
from gateway.settings import read_settings
from gateway.wire.environment import EnvironmentReader, secret_of
from gateway.wire.keys import NewKeyView
from gateway.wire.secret_files import MASTER_KEYS_VARIABLE

DEFAULT_PORT: Final = 8700


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The checked settings of both programs."""

    kept: State
    url: str
    gateway_env: dict[str, str]
    launcher_env: dict[str, str]
    take_over: bool = False

    @classmethod
    def prepared(
        cls,
        state: Path,
        *,
        port: int | None = None,
        providers: str | None = None,
        env_files: Sequence[Path] | None = None,
        take_over: bool = False,
    ) -> Self:
        """Reads and checks the settings of this environment and its files; starts nothing.

        Raises:
            CommandFailed: the port is in use.
            SettingsError: one of the programs would not start with them.
        """
        own = with_files(os.environ, env_files)
        port = port or _port(own)
        check_free(port)
        kept = State(state)
        check_own(own, kept)
        url = f"http://{HOST}:{port}"
        providers = providers or own.get("SLIPGATE_PROVIDERS", "").strip() or LOCAL
        gateway_env = gateway_environ(
            own,
            kept,
            port,
            public_url=public_url_of(own, url, providers),
            secret_keys=secret_of(own, MASTER_KEYS_VARIABLE),
        )
        read_settings(gateway_env)
        launcher_env = launcher_environ(own, kept, url, gateway_env, providers)
        check_launcher(launcher_env)
        for sentence in shortcomings(own, providers, KNOWN, OF_PROVIDERS):
            note(sentence)
        return cls(
            kept=kept,
            url=url,
            gateway_env=gateway_env,
            launcher_env=launcher_env,
            take_over=take_over,
        )

    @contextmanager
    def running(self) -> Iterator["RunningInstallation"]:
        """Runs both; stopped in the opposite order, the launcher reports before the gateway goes.
        The commands of this folder find it meanwhile."""
        stop_on_signals()
        first = self.first_key()
        with ExitStack() as stack:
            options = ("--take-over",) if self.take_over else ()
            command = (*programs.get().gateway, *options)
            gateway = stack.enter_context(self._child("gateway", command, self.gateway_env))
            wait_until_ready(self.url, gateway)
            command = programs.get().launcher
            # The kept keys may have been revoked, or be those of a database that was lost.
            keys = {"SLIPGATE_API_KEY": launcher_key(self.gateway_env, self.kept)}
            environ = {**self.launcher_env, **keys}
            launcher = stack.enter_context(self._child("launcher", command, environ))
            key = _operator_key(self.gateway_env, self.kept)
            stack.enter_context(self.kept.connection(self.url, key))
            yield RunningInstallation(
                installation=self,
                first=first,
                connection=Connection(url=self.url, key=key),
                launcher_env=environ,
                children=(gateway, launcher),
            )

    def first_key(self) -> NewKeyView | None:
        """The application's key; None: it was shown at an earlier start."""
        if self.kept.first_key_shown.exists():
            return None
        return mint(self.gateway_env, "tasks", "default", "up", is_first=True)

    def _child(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> Child:
        """One of our programs, whose log is in the state folder."""
        return programs.get().child(name, command, environ, self.kept.folder / f"{name}.log")


@dataclass(frozen=True, kw_only=True)
class RunningInstallation:
    """Both programs as they run."""

    installation: Installation
    first: NewKeyView | None
    """The application's key, to be shown once."""
    connection: Connection
    launcher_env: dict[str, str]
    """The environment that its launcher was started with."""
    children: tuple[Child, ...]

    def watch(self, over: threading.Event, every: float = 0.5) -> None:
        """Returns once it is over; raises `CommandFailed` if one of the programs ends before."""
        while not over.wait(every):
            for child in self.children:
                child.check()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Interrupts the block, and raises `CommandFailed`, if one of the programs ends."""
        over, failures = threading.Event(), list[CommandFailed]()

        def watch() -> None:
            try:
                self.watch(over)
            except CommandFailed as failure:
                failures.append(failure)
                interrupt_self()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        except KeyboardInterrupt:
            if not failures:
                raise
        finally:
            over.set()
            thread.join()
        for failure in failures:
            raise failure


def is_answering(url: str) -> bool:
    """True if a gateway answers at an address."""
    with open_http(url, timeout=5) as http:
        try:
            return http.get("/healthz").is_success
        except httpx.HTTPError:
            return False


def _operator_key(gateway_env: dict[str, str], kept: State) -> str:
    """The key of the commands in this folder: whoever can read it can read the database, too."""

    def make() -> str:
        return mint(gateway_env, "ops", "default", "command line of up").key

    return kept.live_key("operator-key", make, partial(is_live, gateway_env))


def _port(environ: Mapping[str, str]) -> int:
    reader = EnvironmentReader(environ)
    port = reader.number("SLIPGATE_PORT", DEFAULT_PORT, 1, 65_535)
    reader.check()
    return port
