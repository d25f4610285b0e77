"""One folder of a checkout, read as data: no link is followed, and no file is read whole."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from .. import files

LARGEST_FILE_BYTES: Final = 1_000_000
SCANNED_FILES: Final = 60
"""Of the tests of a folder, to see which tool they use."""
_TEST_FILE: Final = re.compile(r"(?:test_.*|.*_test|tests)\.py")


@dataclass(frozen=True, kw_only=True)
class Folder:
    checkout: Path
    path: str = ""
    """Relative to the checkout; empty for the checkout itself."""

    @property
    def directory(self) -> Path:
        return self.checkout / self.path

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of the files and folders in it; none if it is a link, or below one."""
        chain = [self.checkout / part for part in self._chain()]
        if not all(files.is_directory(each) for each in chain):
            return frozenset()
        try:
            return frozenset(entry.name for entry in self.directory.iterdir())
        except OSError:
            return frozenset()

    def has(self, *patterns: str) -> bool:
        """True if a name is, or matches, one of the patterns."""
        return any(self.matching(*patterns))

    def matching(self, *patterns: str) -> Iterator[str]:
        """Paths of this folder, in the order of the patterns."""
        for pattern in patterns:
            above, slash, name = pattern.rpartition("/")
            names = self.inner(above).names if slash else self.names
            if not set(name) & set("*?["):
                found = [name] if name in names else []
            else:
                found = sorted(each for each in names if fnmatchcase(each, name))
            yield from (above + slash + each for each in found)

    def inner(self, name: str) -> "Folder":
        path = str(PurePosixPath(self.path) / name) if self.path else name
        return Folder(checkout=self.checkout, path=path)

    @property
    def above(self) -> "Folder | None":
        """The folder around it; None for the checkout itself."""
        if not self.path:
            return None
        return Folder(checkout=self.checkout, path=self.path.rpartition("/")[0])

    def text(self, *names: str) -> str:
        """The texts of those of these files that are regular ones of a reasonable size."""
        return "\n".join(filter(None, map(self._text, names)))

    def table(self, name: str) -> dict[str, object]:
        """A TOML or JSON file; empty if it is none."""
        text = self._text(name)
        try:
            found = tomllib.loads(text) if name.endswith(".toml") else json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def enclosing(self, *names: str) -> "Folder | None":
        """The nearest folder at or above this one, within the checkout, with one of the files."""
        parts = PurePosixPath(self.path).parts
        for depth in range(len(parts), -1, -1):
            folder = Folder(checkout=self.checkout, path="/".join(parts[:depth]))
            if folder.has(*names):
                return folder
        return None

    def test_texts(self) -> Iterator[str]:
        """Texts of Python's test files: here, and in the usual folders to a depth of two."""
        yield from self._scanned(self, SCANNED_FILES)

    def _scanned(self, folder: "Folder", most: int, depth: int = 0) -> Iterator[str]:
        named = sorted(name for name in folder.names if _TEST_FILE.fullmatch(name))
        inner = ("tests", "test", "testing", "src") if depth == 0 else sorted(folder.names)
        for name in named[:most]:
            yield folder.text(name)
        for name in inner if depth < 3 else ():
            if "." not in name and files.is_directory(folder.directory / name):
                yield from self._scanned(folder.inner(name), most // 4, depth + 1)

    def _text(self, name: str) -> str:
        if not self.has(name):
            return ""
        content = files.read(self.directory / name, most=LARGEST_FILE_BYTES)
        return (content or b"").decode(errors="replace")

    def _chain(self) -> list[str]:
        parts = PurePosixPath(self.path).parts
        return ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]


def inner_table(table: object, *names: str) -> dict[str, object]:
    """A table within tables; empty if it is not there."""
    for name in names:
        table = table.get(name) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}
