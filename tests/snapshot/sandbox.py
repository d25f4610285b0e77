"""A sandbox: the environment a gateway would give, and an attempt as a child process."""

import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.forks.programs import attempt
from tests.snapshot.gateway_stub import SECRET, GatewayStub
from tests.snapshot.github_stub import GitHubStub
from tests.snapshot.model_stub import ModelStub
from tests.snapshot.patience import PATIENCE_SECONDS, until
from tests.snapshot.repositories import Bare

SCRIPT = Path(__file__).resolve().parents[2] / "snapshot" / "execution.sh"
BRANCH = "slipgate/task"
PYTHON = """\
#!/bin/sh
test "$1 $2" = "-m venv" && exit 1
exec {real} "$@"
"""
SECRETS = {
    "GITHUB_TOKEN": "ghp_sandbox_token",
    "OPENAI_API_KEY": "sk-openai-sandbox",
    "ANTHROPIC_API_KEY": "sk-anthropic-sandbox",
    "GEMINI_API_KEY": "sk-gemini-sandbox",
    "OPENROUTER_API_KEY": "sk-openrouter-sandbox",
    "SLIPGATE_WEBHOOK_SECRET": SECRET,
    "WEBHOOK_URL": "http://127.0.0.1:9/v1/hooks/task_1/1.capability-token",
}


@cache
def programs() -> Path:
    """A folder with a `python3` that makes no environment, to stand before all others: to make two
    takes as long as half of what else is done, and most agents here install nothing. It is on a
    disk: a confined command may run nothing of what is in shared memory."""
    python = Path(attempt()).with_name("programs") / "python3"
    python.parent.mkdir()
    python.write_text(PYTHON.format(real=shutil.which("python3")))
    python.chmod(0o755)
    return python.parent


def search_path() -> str:
    """The path of programs, that one first."""
    return f"{programs()}{os.pathsep}{os.environ['PATH']}"


@dataclass
class Sandbox:
    """Everything one attempt meets."""

    root: Path
    remote: Bare
    gateway: GatewayStub
    github: GitHubStub
    model: ModelStub
    environ: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=lambda: [attempt()])
    """The program that is started."""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = self.root / "state"
        self.shared = Path(tempfile.mkdtemp(prefix="slipgate-test-", dir="/dev/shm"))
        """The one place outside that a confined command may write to."""
        self.output = self.root / "output.txt"
        self.environ = {
            **SECRETS,
            "TARGET_REPO": self.remote.url,
            "BASE_BRANCH": "main",
            "BRANCH_NAME": BRANCH,
            "TASK_ID": "task_1",
            "AGENT_PROMPT": "Fix double()\n\n<!-- hidden --> It is off by one.",
            "MODEL_PROVIDER": "openai",
            "MODEL": "gpt-5",
            "KEEP_ALIVE": "false",
            "WORKSPACE_ID": "ws_1",
            "OPENAI_BASE_URL": self.model.base_url,
            "GITHUB_API_URL": self.github.http.url,
            "SLIPGATE_TASK_ID": "task_1",
            "SLIPGATE_ATTEMPT": "1",
            "SLIPGATE_WEBHOOK_URL": self.gateway.webhook_url,
            "SLIPGATE_STATE_DIR": str(self.state),
            "SLIPGATE_PYTHON": sys.executable,
            "PATH": search_path(),
            "FEATURE_X": "visible",
            "SLIPGATE_VALIDATE": '[["true"]]',
        }

    def starts_at_the_entrypoint(self) -> None:
        """Let execution.sh be started, and through it each program anew, as in an image."""
        self.command = [str(SCRIPT)]

    def makes_environments(self) -> None:
        """Let `python3 -m venv` do what it does."""
        self.environ["PATH"] = os.environ["PATH"]

    def agent_is(self, script: str) -> None:
        """Let a bash script be the agent (engine `command`), without repairs."""
        command = ["bash", "-c", script]
        agent = {"engine": "command", "command": command, "maxRepairRounds": 0}
        self.environ["SLIPGATE_AGENT"] = json.dumps(agent)

    def validates(self, *commands: list[str]) -> None:
        """Let these commands be the validation."""
        self.environ["SLIPGATE_VALIDATE"] = json.dumps(commands)

    def validates_as_declared(self) -> None:
        """Let the repository's own checks be the validation."""
        del self.environ["SLIPGATE_VALIDATE"]

    def start(self, **more: str) -> "subprocess.Popen[bytes]":
        """Start the entrypoint."""
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                self.command,
                env={**self.environ, **more},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """SIGKILL to supervisor and runner, as an out-of-memory killer does it."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        until(self._is_let_go, "the runner's end")

    def _is_let_go(self) -> bool:
        with (self.state / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def run(self, seconds: float = PATIENCE_SECONDS, /, **more: str) -> int:
        """Start it and wait for its exit code."""
        return self.start(**more).wait(seconds)

    def spooled(self) -> list[dict[str, object]]:
        """The lines of the spool."""
        lines = (self.state / "spool.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def spooled_bodies(self) -> list[dict[str, object]]:
        """The messages in the spool."""
        return [json.loads(base64.b64decode(str(line["body"]))) for line in self.spooled()]

    def printed(self) -> str:
        """The output of the process."""
        return self.output.read_text()

    def close(self) -> None:
        """Leave nothing running."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        shutil.rmtree(self.shared)
        for http in (self.gateway.http, self.github.http, self.model.http):
            http.stop()
