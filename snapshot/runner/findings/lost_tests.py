"""Tests that a patch deletes, skips or weakens."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from .file_change import FileChange, Hunk
from .languages import (
    ASSERTING,
    ASSERTION,
    IMPORT,
    LOOSE,
    RUST_TESTS,
    TABLE,
    TRIVIAL,
    Language,
    is_test_name,
    is_test_path,
    language_of,
)

LINE_CHARACTERS: Final = 500
"""Of a line that are looked at: the rest is data."""
UNNAMED: Final = "a test"


class LostTests(NamedTuple):
    deleted: tuple[str, ...]
    """Files, or tests in files; likewise in the others."""
    skipped: tuple[str, ...]
    weakened: tuple[str, ...]


def find(changes: Sequence[FileChange]) -> LostTests:
    files = [_TestFile(change, language_of(change.suffix)) for change in changes]
    tests = [file for file in files if file.hunks or file.change.is_deleted]
    moved = _Moved(tests)
    deleted = {file.change.path: tuple(file.deleted(moved)) for file in tests}
    gone = [subject for subjects in deleted.values() for subject in subjects]
    left = [file for file in tests if not file.change.is_deleted]
    return LostTests(
        deleted=tuple(gone),
        skipped=tuple(file.change.path for file in left if file.is_skipped()),
        weakened=tuple(
            file.change.path
            for file in left
            if not deleted[file.change.path] and file.is_weakened(moved)
        ),
    )


class _TestFile:
    """The hunks of one file that concern tests."""

    def __init__(self, change: FileChange, language: Language | None) -> None:
        self.change = change
        self.language = language
        is_test = is_test_path(change.path)
        self.hunks = tuple(h for h in change.hunks if is_test or _is_inline(change, h))

    @property
    def added_tests(self) -> Iterator[str]:
        return (name for hunk in self.hunks for name in _tests(self.language, hunk.added))

    def deleted(self, moved: "_Moved") -> Iterator[str]:
        """The file, or the tests of it that are nowhere in the patch."""
        path = self.change.path
        if self.change.is_deleted:
            yield from self._deleted_file(moved)
            return
        for hunk in self.hunks:
            names = _tests(self.language, hunk.removed)
            came = len(_tests(self.language, hunk.added))
            missing = [name for name in names if not moved.has_test(name, path)]
            if len(names) > came and not _has_table(hunk):
                yield from (f"{path}: {name or UNNAMED}" for name in missing[: len(names) - came])

    def _deleted_file(self, moved: "_Moved") -> Iterator[str]:
        path = self.change.path
        names = _tests(self.language, self.change.removed) if self.hunks else []
        missing = [name for name in names if not moved.has_test(name, path)]
        if names and len(missing) < len(names):
            yield from (f"{path}: {name or UNNAMED}" for name in missing)
        elif missing or (self._is_of_tests() and not moved.has_file(self.change.name)):
            yield path

    def _is_of_tests(self) -> bool:
        """True by its name and content, in a language whose tests have no known form."""
        path, hunks = self.change.path, self.change.hunks
        is_named = is_test_path(path) and is_test_name(path)
        return is_named and (not hunks or any(map(ASSERTION.search, self.change.removed)))

    def is_skipped(self) -> bool:
        return any(self._skips(hunk.added) > self._skips(hunk.removed) for hunk in self.hunks)

    def _skips(self, lines: Iterable[str]) -> int:
        """The lines that skip; a new file may skip its own tests under a condition."""
        if (language := self.language) is None:
            return 0
        patterns = [language.skip]
        if language.maybe_skip is not None and not self.change.is_new:
            patterns.append(language.maybe_skip)
        # A tag that keeps a file of Go from its build is a comment.
        code = _code(language, lines) if language.suffixes.isdisjoint({"go"}) else lines
        return sum(any(pattern.search(line) for pattern in patterns) for line in code)

    def is_weakened(self, moved: "_Moved") -> bool:
        """True if a hunk has fewer assertions afterwards, or fewer that demand a value."""
        for hunk in self.hunks:
            removed, added = moved.changed_assertions(self.language, hunk)
            strict = sum(not LOOSE.search(line) for line in removed)
            strict_added = sum(not LOOSE.search(line) for line in added)
            is_looser = strict > strict_added and len(added) <= len(removed)
            if (len(removed) > len(added) or is_looser) and not _has_table(hunk):
                return True
        return False


class _Moved:
    """Lines, tests and files that the patch adds: what went may be among them."""

    def __init__(self, tests: Sequence[_TestFile]) -> None:
        self._tests = {
            (name, is_run)
            for file in tests
            for is_run in {False, is_test_name(file.change.path)}
            for name in file.added_tests
            if name
        }
        self._files = {file.change.name for file in tests if file.change.is_new}
        hunks = [hunk for file in tests for hunk in file.hunks]
        self._added = {line.strip() for hunk in hunks for line in hunk.added}
        self._removed = {line.strip() for hunk in hunks for line in hunk.removed}

    def has_test(self, name: str, path: str) -> bool:
        """True if a test of this file is elsewhere now, where tools look for tests if they looked
        at this file."""
        return (name, is_test_name(path)) in self._tests

    def has_file(self, name: str) -> bool:
        return name in self._files

    def changed_assertions(
        self, language: Language | None, hunk: Hunk
    ) -> tuple[list[str], list[str]]:
        """Assertions that the hunk removes and adds, without lines that moved."""
        removed = _assertions(language, hunk.removed)
        added = _assertions(language, hunk.added)
        return (
            [line for line in removed if line not in self._added],
            [line for line in added if line not in self._removed],
        )


def _has_table(hunk: Hunk) -> bool:
    return any(TABLE.search(line[:LINE_CHARACTERS]) for line in hunk.added)


def _is_inline(change: FileChange, hunk: Hunk) -> bool:
    """True for tests beside the code, as Rust has them."""
    lines = (hunk.heading, *hunk.old, *hunk.added)
    return change.suffix == "rs" and any(map(RUST_TESTS.search, lines))


def _tests(language: Language | None, lines: Iterable[str]) -> list[str]:
    """The names of tests that are defined here; empty for one without a name."""
    if language is None:
        return []
    names: list[str] = []
    is_marked = language.mark is None
    for line in _code(language, lines):
        if language.mark is not None and language.mark.search(line):
            is_marked = True
            names.append("")
        if (match := language.test.search(line)) is None or not is_marked:
            continue
        name = next(filter(None, match.groups()), "")
        if language.mark is None:
            names.append(name)
        else:
            names[-1], is_marked = name, False
    return names


def _assertions(language: Language | None, lines: Iterable[str]) -> list[str]:
    return [
        line.strip()
        for line in _code(language, lines)
        if _may_assert(line)
        and ASSERTION.search(line)
        and not IMPORT.search(line)
        and not TRIVIAL.search(line)
    ]


def _may_assert(line: str) -> bool:
    lowered = line.lower()
    return any(word in lowered for word in ASSERTING)


def _code(language: Language | None, lines: Iterable[str]) -> Iterator[str]:
    """The lines without those that are comments."""
    begins = (language.comment if language else "#", "/*", "* ")
    short = (line[:LINE_CHARACTERS] for line in lines)
    return (line for line in short if not line.lstrip().startswith(begins))
