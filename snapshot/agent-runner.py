"""Starts the runner package beside this script."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parent))

from runner import start  # type: ignore[import-not-found]  # noqa: E402 - found only from here

if __name__ == "__main__":
    start.start(HERE)
