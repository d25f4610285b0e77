"""Texts of some files of the base commit, read from its objects: no agent has touched those."""

from collections.abc import Callable
from typing import Final

from .git import Git
from .plumbing import blob_contents, nul_list
from .remote import Clone

LARGEST_BYTES: Final = 256 * 1024


def read(git: Git, clone: Clone, is_wanted: Callable[[str], bool]) -> dict[str, str]:
    """Path → text of the wanted files that are no links and not too large."""
    ours = git.at(clone.directory)
    blobs: dict[str, bytes] = {}
    for entry in nul_list(ours("ls-tree", "-r", "-l", "-z", clone.base_sha)):
        header, _, path = entry.partition(b"\t")
        mode, _, blob, size = header.split()
        name = path.decode(errors="surrogateescape")
        if mode.startswith(b"100") and int(size) <= LARGEST_BYTES and is_wanted(name):
            blobs[name] = blob
    texts = blob_contents(ours, blobs.values()) if blobs else ()
    return {name: text.decode(errors="replace") for name, text in zip(blobs, texts, strict=False)}
