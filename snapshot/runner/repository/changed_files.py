"""The changed files of a patch, as its findings need them."""

import os
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import msgspec

from ..findings.check_definitions import is_parsed
from ..findings.file_change import FileChange, with_diff
from .git import Git
from .plumbing import NO_MODE, Change, small_blobs

LARGEST_TEXT: Final = 8 * 1024**2
"""Characters of diffs whose lines are read: a second of work. Of the rest only paths count."""
LARGEST_FILE_BYTES: Final = 256 * 1024
MOST_HEADS: Final = 200
"""Changed files whose first lines in the base are looked at."""


def read(git: Git, changes: Sequence[Change], texts: Sequence[str]) -> list[FileChange]:
    """A file for each change and its diff, with the contents that are compared whole."""
    ends = accumulate(map(len, texts))
    both = [
        (change, _file(change, text, is_read=end <= LARGEST_TEXT))
        for change, text, end in zip(changes, texts, ends, strict=True)
    ]
    wanted = {change.old_blob for change, file in both[:MOST_HEADS] if file.old_mode}
    for change, file in both:
        if is_parsed(file.path):
            wanted |= {change.old_blob, change.blob}
    contents = small_blobs(git, wanted, LARGEST_FILE_BYTES) if wanted else {}
    read_texts = {blob: content.decode(errors="replace") for blob, content in contents.items()}
    return [
        msgspec.structs.replace(
            file, before=read_texts.get(change.old_blob), after=read_texts.get(change.blob)
        )
        for change, file in both
    ]


def _file(change: Change, text: str, *, is_read: bool) -> FileChange:
    path, old, new = os.fsdecode(change.path), _mode(change.old_mode), _mode(change.new_mode)
    return with_diff(FileChange(path=path, old_mode=old, new_mode=new), text, is_read=is_read)


def _mode(mode: bytes) -> str:
    return "" if mode == NO_MODE else mode.decode()
