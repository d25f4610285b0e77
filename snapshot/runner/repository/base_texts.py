"""Texts of some files of the base commit, read from its objects: no agent has touched those."""

from collections.abc import Callable
from typing import Final

from .git import Git
from .plumbing import blob_contents, committed_files
from .remote import Clone

LARGEST_BYTES: Final = 256 * 1024
LARGEST_TOTAL_BYTES: Final = 4 * 1024**2
"""Of all texts: those after it, in the order of their paths, are not read."""


def read(git: Git, clone: Clone, is_wanted: Callable[[str], bool]) -> dict[str, str]:
    """Path → text of the wanted files that are no links and not too large, nor all together."""
    ours = git.at(clone.directory)
    blobs: dict[str, bytes] = {}
    left = LARGEST_TOTAL_BYTES
    for file in committed_files(ours, clone.base_sha):
        name = file.path.decode(errors="surrogateescape")
        is_small = file.mode.startswith(b"100") and file.size <= LARGEST_BYTES
        if not is_small or not is_wanted(name):
            continue
        left -= file.size
        if left < 0:
            break
        blobs[name] = file.blob
    texts = blob_contents(ours, blobs.values()) if blobs else ()
    return {name: text.decode(errors="replace") for name, text in zip(blobs, texts, strict=False)}
