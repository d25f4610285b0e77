"""One changed file of a patch: its modes, and the lines that go and come."""

import re
from typing import Final

import msgspec

LARGEST_SECTION: Final = 512 * 1024
"""Characters of one file's diff; of a longer one the lines are not read."""
EXECUTABLE: Final = "100755"
_HUNK: Final = re.compile(r"^@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@", re.MULTILINE)


class Hunk(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of a file that changed, and those around them."""

    heading: str
    """The line that git names as the beginning of their function."""
    removed: tuple[str, ...]
    added: tuple[str, ...]
    old: tuple[str, ...]
    """The lines before the change, unchanged ones included."""
    new: tuple[str, ...]


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    old_mode: str = ""
    """As git writes it; empty for a new file."""
    new_mode: str = ""
    """Empty for a deleted file."""
    hunks: tuple[Hunk, ...] = ()
    is_binary: bool = False
    is_read: bool = True
    """False: its diff is too long."""
    before: str | None = None
    """The base's content; None if it is new or was not read."""
    after: str | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The part of the name behind its last dot, in lower case."""
        return self.name.rpartition(".")[2].lower() if "." in self.name else ""

    @property
    def is_new(self) -> bool:
        return not self.old_mode

    @property
    def is_deleted(self) -> bool:
        return not self.new_mode

    @property
    def removed(self) -> tuple[str, ...]:
        return tuple(line for hunk in self.hunks for line in hunk.removed)

    @property
    def added(self) -> tuple[str, ...]:
        return tuple(line for hunk in self.hunks for line in hunk.added)


def with_diff(change: FileChange, section: str, *, is_read: bool = True) -> FileChange:
    """The change with what its diff says; if it is not read, whether that is binary."""
    first = _HUNK.search(section)
    header = section[: first.start()] if first else section
    is_binary = "\nGIT binary patch\n" in header or "\nBinary files " in header
    is_read = is_read and len(section) <= LARGEST_SECTION
    starts = [match.start() for match in _HUNK.finditer(section)] if is_read else []
    ends = [*starts[1:], len(section)]
    hunks = tuple(_hunk(section[a:b]) for a, b in zip(starts, ends, strict=True)) if starts else ()
    return msgspec.structs.replace(change, hunks=hunks, is_binary=is_binary, is_read=is_read)


def _hunk(text: str) -> Hunk:
    # Only a line feed ends a line of a diff; `splitlines` knows more ends.
    heading, *lines = text.split("\n")
    signed = [line for line in lines if line[:1] in {" ", "-", "+"}]
    return Hunk(
        heading=heading.split("@@", 2)[2].strip(),
        removed=tuple(line[1:] for line in signed if line[0] == "-"),
        added=tuple(line[1:] for line in signed if line[0] == "+"),
        old=tuple(line[1:] for line in signed if line[0] != "+"),
        new=tuple(line[1:] for line in signed if line[0] != "-"),
    )
