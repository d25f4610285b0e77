"""An attempt as a fork of a process that has imported the runner: a start costs 0.05 s, not 0.5.

Supervisor and runner are processes of their own, as from the entrypoint. What is about their
starts, or about what their processes show, starts from there. Imported where forks are made.
"""

import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from snapshot.runner import reexec, rescue, start
from snapshot.runner.agent.child_env import ChildEnv
from snapshot.runner.exit_code import leave
from snapshot.runner.supervisor import SIGNALS, supervise

LATE: Final = (
    "anyio.streams.tls",
    "encodings.idna",
    "genai_prices.data",
    "genai_prices.data_snapshot",
    "genai_prices.decompose",
    "genai_prices.validation",
    "httpcore",
    "httpcore2",
    "importlib.readers",
    "jiter",
    "openai.lib.streaming.chat",
    "openai.resources.chat.chat",
    "openai.resources.chat.completions.completions",
    "openai.resources.chat.completions.messages",
    "snapshot.runner.agent.command_engine",
    "snapshot.runner.agent.mini",
    "snapshot.runner.agent.mini_model",
    "snapshot.runner.agent.openai_chat",
    "snapshot.runner.agent.prices",
    "snapshot.runner.agent.responses_chat",
    "snapshot.runner.main",
    "truststore",
)
"""Imports that the runner makes when it needs them."""


def main() -> None:
    """In a fork: the start with a clean environment, then the supervisor."""
    environ = reexec.collected(os.environ)
    clean = ChildEnv.from_environ(environ).base()
    os.environ.clear()
    os.environ.update(clean)
    leave(supervise(_fork, environ), keep_alive=environ.get("KEEP_ALIVE", ""))


def rescuing() -> None:
    """In a fork: the entry `--rescue`, without its start."""
    rescue.run(Path(sys.argv[1]), os.environ)


def _fork(mode: str, environ: Mapping[str, str], death: str | None = None) -> int:
    supervisor, child = os.getpid(), os.fork()
    if child == 0:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os._exit(start.run(supervisor, environ, death=death))
    return child


def _import_late() -> None:
    """Import of mini-swe-agent greets, and reads the settings of a user."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(MSWEA_SILENT_STARTUP="1", MSWEA_GLOBAL_CONFIG_DIR=folder)
        for name in LATE:
            importlib.import_module(name)


_import_late()
