"""The scripts that a snapshot is made of, and the word by which it says which ones they are.

The word stands in its entrypoint, where the entrypoint ignores it: Daytona keeps the entrypoint of
every snapshot and shows it to whoever asks, so it is compared before a sandbox is paid for.
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
    """There is no folder of scripts, or they cannot be read."""


async def compute_digest(folder: Path = FOLDER) -> str:
    """The digest as the scripts themselves define it.

    Raises:
        NoScripts: they are not there.
    """
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
    """The entrypoint of a snapshot that holds scripts of this digest."""
    return (*ENTRYPOINT, f"scripts={digest}")


def find_digest(words: Iterable[str]) -> str | None:
    """What an entrypoint, or the output of one, says of its scripts."""
    for word in words:
        if found := _WORD.fullmatch(word):
            return found[1]
    return None
