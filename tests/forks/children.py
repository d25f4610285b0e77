"""Gateways and launchers as forks: a start costs 0.1 s of processor time, not 0.7."""

import signal
from collections.abc import Mapping
from pathlib import Path

from gateway.cli.local.processes import Child, Programs, programs
from gateway.cli.main import main
from tests.forks.programs import attempt, shared, slipgate


class ForkedChild(Child):
    """A child that tells of its end once its fork has ended, however it was killed."""

    def kill(self) -> None:
        """Sends SIGKILL to the fork and waits for its end."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()


def gateway_child(
    environ: Mapping[str, str], log: Path, *options: str, name: str = "gateway"
) -> ForkedChild:
    """A gateway that has not been started."""
    return ForkedChild(name, (slipgate(), "gateway", *options), environ, log)


def launcher_child(environ: Mapping[str, str], log: Path, *agent: str) -> ForkedChild:
    """A launcher that has not been started; `agent` is a program in the place of execution.sh."""
    launcher = shared("launcher", "tests.forks.launcher:launch")
    return ForkedChild("launcher", (launcher, *agent), environ, log)


def forked_programs() -> Programs:
    """The programs that a command line starts, as forks; local agents are forks, too."""
    return _programs(*_paths())


def forking_slipgate() -> str:
    """A command line that starts those."""
    return shared("forking-slipgate", f"{__name__}:run_forking", *_paths())


def run_forking(*paths: str) -> int:
    """In a fork: the command line, with these programs."""
    programs.set(_programs(*paths))
    return main()


def _paths() -> tuple[str, ...]:
    return (
        slipgate(),
        shared("own-launcher", "tests.forks.launcher:launch_with", attempt()),
        shared("own-doctor", "launcher.doctor.__main__:main"),
        shared("own-snapshots", "launcher.snapshots.__main__:main"),
    )


def _programs(command_line: str, launcher: str, doctor: str, snapshots: str) -> Programs:
    return Programs(
        gateway=(command_line, "gateway"),
        launcher=(launcher,),
        doctor=(doctor,),
        snapshots=(snapshots,),
        child=ForkedChild,
    )
