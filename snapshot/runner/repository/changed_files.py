"""The changed files of a patch, as its findings need them."""

import os
from collections.abc import Sequence
from itertools import repeat
from typing import Final

import msgspec

from ..findings.definitions import is_parsed
from ..findings.file_change import FileChange, read_section
from .git import Git
from .plumbing import Change, small_blobs

LARGEST_TEXT: Final = 32 * 1024**2
"""Characters of a patch whose lines are read; of a longer one only paths and modes count."""
LARGEST_FILE_BYTES: Final = 256 * 1024
MOST_HEADS: Final = 200
"""Changed files whose first lines in the base are looked at."""


def read(git: Git, changes: Sequence[Change], texts: Sequence[str]) -> list[FileChange]:
    """A file for each change and its diff, with the contents that are compared whole."""
    files = list(map(_file, changes, texts if sum(map(len, texts)) <= LARGEST_TEXT else repeat("")))
    both = list(zip(changes, files, strict=True))
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


def _file(change: Change, text: str) -> FileChange:
    hunks, is_binary = read_section(text)
    return FileChange(
        path=os.fsdecode(change.path),
        old_mode=_mode(change.old_mode),
        new_mode=_mode(change.new_mode),
        hunks=hunks,
        is_binary=is_binary,
    )


def _mode(mode: bytes) -> str:
    return "" if mode == b"000000" else mode.decode()
