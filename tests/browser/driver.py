"""The browser's driver, started where no test ends it."""

import subprocess
import sys


def start(driver: str) -> None:
    """In a fork of the server: as nobody's child it outlives tests that kill all children of their
    process, as the snapshot's runner does."""
    subprocess.Popen(
        [driver, *sys.argv[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
