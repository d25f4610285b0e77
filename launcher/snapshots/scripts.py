"""The scripts of a snapshot, and their digest in its entrypoint.

The entrypoint ignores that argument. Daytona's API shows the entrypoint of every snapshot, so the
digest is compared before a sandbox is paid for.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from launcher.providers.program import NotStarted, Program

FOLDER: Final = Path(__file__).resolve().parents[2] / "snapshot"
ENTRYPOINT: Final = ("/bin/bash", "/app/execution.sh")
DIGEST_SECONDS: Final = 30.0
_WORD: Final = re.compile(r"scripts=([0-9a-f]{64})")


class NoScripts(Exception):
    """The scripts are missing or cannot be read."""


async def compute_digest(folder: Path = FOLDER) -> str:
    """The digest as the scripts themselves define it; raises `NoScripts`."""
    program = Program(sys.executable, environ={}, folder=folder)
    try:
        result = await program.run(
            "-I", str(folder / "runner" / "digest.py"), seconds=DIGEST_SECONDS
        )
    except NotStarted as error:
        raise NoScripts(f"{folder} cannot be used: {error}") from error
    if result.code != 0:
        raise NoScripts(f"{folder} does not hold the scripts of a snapshot: {result.err[-300:]}")
    return result.out.strip()


def entrypoint_for(digest: str) -> tuple[str, ...]:
    return (*ENTRYPOINT, f"scripts={digest}")


def find_digest(words: Iterable[str]) -> str | None:
    """The digest in an entrypoint, or in the output of one."""
    for word in words:
        if found := _WORD.fullmatch(word):
            return found[1]
    return None
