"""The digest of a snapshot's scripts, printed when run: it tells them from all others."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

BESIDE = ("agent-runner.py", "execution.sh", "requirements.lock")
"""Files beside the package that decide what runs."""


def script_digest() -> str:
    """SHA-256 over the names and contents of the scripts and the lock of their libraries."""
    folder = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for name in sorted(_names(folder)):
        content = (folder / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _names(folder: Path) -> Iterator[str]:
    yield from (name for name in BESIDE if (folder / name).is_file())
    for directory, inner, names in os.walk(folder / "runner"):
        inner[:] = [name for name in inner if name != "__pycache__"]
        above = Path(directory).relative_to(folder).as_posix()
        yield from (f"{above}/{name}" for name in names)


if __name__ == "__main__":
    print(script_digest())
