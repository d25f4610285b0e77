"""The digest of a snapshot's scripts, printed when run: it tells them from all others."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

BESIDE = ("agent-runner.py", "execution.sh", "requirements.lock")
"""Files beside the package that decide what runs."""


def script_digest() -> str:
    """SHA-256 over the names and contents of the scripts and the lock of their libraries."""
    folder = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for file in sorted(_files(folder)):
        name, content = file.relative_to(folder).as_posix(), file.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    yield from (folder / name for name in BESIDE if (folder / name).is_file())
    for path in (folder / "runner").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


if __name__ == "__main__":
    print(script_digest())
