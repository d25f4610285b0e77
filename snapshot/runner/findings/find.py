"""All findings of a patch, worst first: each of them makes a person look."""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from . import check_definitions, file_kinds, lost_tests
from .file_change import EXECUTABLE, FileChange
from .languages import is_test_path

EXECUTABLE_NOW: Final = "Executable now"
_BLANKS: Final = re.compile(r"\s+")
_INDENTED: Final = frozenset(
    {"py", "pyi", "yml", "yaml", "pug", "haml", "slim", "nim", "mk", "fs", "hs"}
)
"""Languages in which the white space before a line means something."""
_LINK: Final = "120000"
_CONFLICT: Final = ("<<<<<<< ", ">>>>>>> ")


class Finding(NamedTuple):
    sentence: str
    """Without its subjects, which follow."""
    subjects: tuple[str, ...]


def find(
    changes: Sequence[FileChange], undone: Sequence[str], foreign: Sequence[str] = ()
) -> list[Finding]:
    """The findings; `undone` names the commits of the base that the patch takes back, `foreign`
    those of others that it takes over."""
    lost = lost_tests.find(changes)
    found = [
        Finding("Conflicts are not resolved", _paths(changes, _has_conflict)),
        Finding("Tests are deleted", lost.deleted),
        Finding("Tests are skipped or singled out", lost.skipped),
        Finding("Tests are weakened (assertions are gone)", lost.weakened),
        Finding("Tests have changes too long to be looked through", _paths(changes, _is_unread)),
        Finding("The definition of the checks is changed", _paths(changes, check_definitions.find)),
        Finding("Workflows are changed", _paths(changes, file_kinds.is_workflow)),
        Finding("Commits of the base branch are undone", tuple(undone)),
        Finding("Commits of others are taken over", tuple(foreign)),
        Finding("Only white space is changed", _paths(changes, _is_white_space)),
        Finding("Lock files are changed", _paths(changes, file_kinds.is_lock_file)),
        Finding("Generated files are changed", _paths(changes, file_kinds.is_generated)),
        Finding("Binary files are changed", _paths(changes, lambda change: change.is_binary)),
    ]
    return [finding for finding in found if finding.subjects]


def notes(changes: Sequence[FileChange]) -> list[Finding]:
    """Changes of modes that a reviewer may want to see, and that need nobody."""
    found = [Finding(EXECUTABLE_NOW, _paths(changes, _is_executable_now))]
    return [finding for finding in found if finding.subjects]


def _paths(
    changes: Sequence[FileChange], is_found: Callable[[FileChange], bool]
) -> tuple[str, ...]:
    return tuple(change.path for change in changes if is_found(change))


def _has_conflict(change: FileChange) -> bool:
    """True if it has new marks of both sides, as a merge leaves them."""
    return all(any(line.startswith(mark) for line in change.added) for mark in _CONFLICT)


def _is_unread(change: FileChange) -> bool:
    is_edit = not (change.is_new or change.is_deleted)
    return is_edit and not change.is_read and is_test_path(change.path)


def _is_executable_now(change: FileChange) -> bool:
    return change.new_mode == EXECUTABLE and change.old_mode != EXECUTABLE


def _is_white_space(change: FileChange) -> bool:
    """True if no other character is changed; indentation counts where it means something."""
    is_edit = not (change.is_new or change.is_deleted) and change.hunks
    if not is_edit or change.new_mode == _LINK:
        return False
    is_indented = change.suffix in _INDENTED or change.name.endswith("akefile")
    shape = _lines if is_indented else _characters
    return all(shape(hunk.old) == shape(hunk.new) for hunk in change.hunks)


def _characters(lines: Sequence[str]) -> object:
    return _BLANKS.sub("", "".join(lines))


def _lines(lines: Sequence[str]) -> object:
    return [line.rstrip() for line in lines if line.strip()]
