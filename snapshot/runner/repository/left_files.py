"""Files that a set-up left in the agent's checkout before the agent began.

They are none of its changes, as long as it does not write them.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from .. import files
from .git import Git
from .plumbing import nul_list

RECORD: Final = "left-files.json"
LARGEST_RECORD_BYTES: Final = 64 * 1024**2
EXCLUDED_LINES: Final = 1_000
_OTHERS: Final = ("ls-files", "-z", "--others", "--exclude-standard")


class LeftFiles(msgspec.Struct, frozen=True, kw_only=True):
    new: dict[str, tuple[int, int]] = {}
    """Path → size and time of its last change (ns)."""
    ignored: frozenset[str] = frozenset()
    """Files and folders that the repository's own rules ignore."""

    def without(self, paths: Iterable[bytes], work_tree: Path) -> list[bytes]:
        """The paths that are not left as they were."""
        return [path for path in paths if not self._is_left(path, work_tree)]

    def _is_left(self, path: bytes, work_tree: Path) -> bool:
        name = os.fsdecode(path)
        return name in self.ignored or (
            name in self.new and self.new[name] == _mark(work_tree / name)
        )


def record(git: Git, clone: Path, work_tree: Path) -> None:
    """Record the files that are there and are not the repository's, and hide them from the agent's
    own git. `git` has the starting index."""
    new = {path: mark for path in _listed(git) if (mark := _mark(work_tree / path)) is not None}
    left = LeftFiles(new=new, ignored=frozenset(_listed(git, "--ignored", "--directory")))
    with suppress(OSError):
        (clone / ".git" / RECORD).write_bytes(msgspec.json.encode(left))
        _hide(work_tree, _listed(git, "--directory"))


def read(clone: Path) -> LeftFiles:
    """Nothing if no set-up ran."""
    content = files.read(clone / ".git" / RECORD, most=LARGEST_RECORD_BYTES)
    try:
        return msgspec.json.decode(content or b"{}", type=LeftFiles)
    except msgspec.MsgspecError:
        return LeftFiles()


def _listed(git: Git, *options: str) -> list[str]:
    """Paths whose names are text; others count as the agent's, and a person sees them."""
    decoded = (path.decode(errors="replace") for path in nul_list(git(*_OTHERS, *options)))
    return [path for path in decoded if "\ufffd" not in path]


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _hide(work_tree: Path, paths: list[str]) -> None:
    """Add them to the agent's own `.git/info/exclude`, so that no `git add -A` takes them."""
    escaped = ("".join(f"\\{each}" if each in "\\*?[ !#" else each for each in p) for p in paths)
    lines = [f"/{path}\n" for path in escaped if "\n" not in path][:EXCLUDED_LINES]
    if lines:
        target = work_tree / ".git" / "info"
        target.mkdir(exist_ok=True)
        with (target / "exclude").open("a") as exclude:
            exclude.writelines(lines)
