"""An agent as a fork, which leaves its number: the table of processes shows the server's name."""

import os
from pathlib import Path

from launcher.providers.local.supervisor import birth, write_whole
from tests.snapshot import attempt


def main(folder: str) -> None:
    """In a fork: notes its birth and its sandbox in this folder, then does the attempt."""
    sandbox = Path(os.environ["SLIPGATE_STATE_DIR"]).parent.name
    write_whole(Path(folder, f"{sandbox}.{os.getpid()}"), str(birth(os.getpid())))
    attempt.main()
