"""Time limits of tests, for a machine that is busy with other things."""

import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 240.0
LOOK_SECONDS = 0.02


def until(is_true: Callable[[], bool], what: str) -> None:
    """Waits for a condition."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < gives_up_at, f"waited for {what}"
        time.sleep(LOOK_SECONDS)


def is_alive(pid_file: Path) -> bool:
    """True if the process that wrote its number there still runs; one that only waits to be reaped
    does not."""
    try:
        stat = Path(f"/proc/{pid_file.read_text().strip()}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
