"""The session of a program, kept when its home goes."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from ... import files

FILE: Final = "session.jsonl"
LARGEST_BYTES: Final = 32 * 1024**2
LARGEST_TRAJECTORY_BYTES: Final = 3 * 1024**2
"""A trajectory that is sent is a little larger than that at most."""


class Printed:
    """The events that a program printed, up to a limit."""

    def __init__(self) -> None:
        self.content = bytearray()

    def add(self, line: bytes) -> None:
        if len(self.content) + len(line) < LARGEST_BYTES:
            self.content += line + b"\n"


def keep(source: Path | None, printed: Printed, trajectory: Path) -> None:
    """Write the program's own file, or where it has none what it printed, beside the trajectory,
    which is made of it."""
    content = files.read(source, most=LARGEST_BYTES) if source is not None else None
    content = bytes(printed.content) if content is None else content
    if content:
        _write(trajectory.with_name(FILE), content)
        _write(trajectory, _trajectory(content))


def _trajectory(content: bytes) -> bytes:
    """The session as one document of JSON; of a long one the beginning."""
    kept: list[msgspec.Raw] = []
    size = 0
    lines = content.splitlines()
    for line in lines:
        size += len(line) + 1
        if size > LARGEST_TRAJECTORY_BYTES:
            break
        with suppress(msgspec.MsgspecError, RecursionError):
            msgspec.json.decode(line)
            kept.append(msgspec.Raw(line))
    return msgspec.json.encode({"events": kept, "omitted": len(lines) - len(kept)})


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        path.chmod(0o600)
        file.write(content)
