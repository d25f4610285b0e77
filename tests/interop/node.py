"""Node, with what `make` has fetched for it; without, the tests that need it say so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).resolve().parent
MODULES: Final = Path(sys.prefix) / "node" / "node_modules"
"""The packages of package.json, installed by the Makefile."""
PACKAGES: Final = ("standardwebhooks", "amaro", "gpt-tokenizer")
"""The packages that the programs beside this file import."""
NODE: Final = shutil.which("node")


def needs_node() -> pytest.MarkDecorator:
    """A mark for tests that run code of the npm registry."""
    if NODE is None:
        reason = "node is not on this machine: the npm library and the handler are not tried"
        return pytest.mark.skipif(True, reason=reason)
    reason = "the packages of npm are not here: `make test` fetches them where npm is"
    is_here = all((MODULES / name).is_dir() for name in PACKAGES)
    return pytest.mark.skipif(not is_here, reason=reason)


def project(folder: Path) -> Path:
    """A folder in which the programs beside this file find their packages."""
    modules = folder / "node_modules"
    (modules / "next").mkdir(parents=True)
    for name in PACKAGES:
        (modules / name).symlink_to(MODULES / name)
    for program in HERE.glob("*.mjs"):
        shutil.copy(program, folder)
    (modules / "next" / "package.json").write_text('{"exports": {"./server": "./server.mjs"}}')
    (folder / "next-server.mjs").rename(modules / "next" / "server.mjs")
    return folder


def run(folder: Path, program: str, text: str) -> str:
    """The output of a program of the project for this input."""
    return subprocess.run(
        command(program),
        cwd=folder,
        env=environ(),
        input=text,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def command(program: str) -> list[str]:
    """The arguments that run it."""
    return [NODE or "node", program]


def environ() -> dict[str, str]:
    """Without ours, and without options that others left for node."""
    return {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("SLIPGATE_", "NODE_"))
    }
