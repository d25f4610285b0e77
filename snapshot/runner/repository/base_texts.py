"""Texts of some files of the base commit, read from its objects: no agent has touched those."""

from collections.abc import Callable
from typing import Final

from .git import Git
from .plumbing import blob_contents, nul_list
from .remote import Clone

LARGEST_BYTES: Final = 256 * 1024
LARGEST_TOTAL_BYTES: Final = 4 * 1024**2
"""Of all texts: those after it, in the order of their paths, are not read."""


def read(git: Git, clone: Clone, is_wanted: Callable[[str], bool]) -> dict[str, str]:
    """Path → text of the wanted files that are no links and not too large, nor all together."""
    ours = git.at(clone.directory)
    blobs: dict[str, bytes] = {}
    left = LARGEST_TOTAL_BYTES
    for entry in nul_list(ours("ls-tree", "-r", "-l", "-z", clone.base_sha)):
        header, _, path = entry.partition(b"\t")
        mode, _, blob, size = header.split()
        name = path.decode(errors="surrogateescape")
        if not mode.startswith(b"100") or int(size) > LARGEST_BYTES or not is_wanted(name):
            continue
        left -= int(size)
        if left < 0:
            break
        blobs[name] = blob
    texts = blob_contents(ours, blobs.values()) if blobs else ()
    return {name: text.decode(errors="replace") for name, text in zip(blobs, texts, strict=False)}
