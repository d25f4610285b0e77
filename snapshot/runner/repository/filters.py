"""Files that a filter of the repository converts (gitattributes(5)): here no filter runs.

git LFS keeps a pointer in a file's place, others encrypt it or leave a part of it out.
"""

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from .. import files
from .git import Git
from .plumbing import IndexEntry, small_blobs

LFS: Final = b"lfs"
POINTER_BYTES: Final = 1024
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_CONTENT: Final = re.compile(rb"\noid sha256:([0-9a-f]{64})\nsize ([0-9]+)\n")
_ENCRYPTING: Final = re.compile(
    rb"(?:git-?)?(?:crypt|agecrypt|agebox|sops|secret)(?:-.+)?|transcrypt"
)
_ENCRYPTED: Final = (b"\0GITCRYPT", b"U2FsdGVkX1", b"age-encryption.org/", b"Salted__")
_ATTRIBUTES: Final = b".gitattributes"
_NONE: Final = b"set"
"""The attribute without a name; it names no filter."""


class Filtered(NamedTuple):
    raw_lfs: list[bytes]
    """Files that LFS would replace by a pointer."""
    to_encrypt: list[bytes]
    unfiltered: dict[bytes, bytes]
    """Path → name of a filter that would have had the file as it is."""


def sort(
    work_tree: Path,
    attributes: Mapping[bytes, Mapping[bytes, bytes]],
    kept: Mapping[bytes, bytes],
) -> Filtered:
    """Sort written files by their filter; `kept` has the repository's content of each path."""
    found = Filtered([], [], {})
    for path, values in attributes.items():
        name, file = values.get(b"filter", _NONE), work_tree / os.fsdecode(path)
        if name == LFS:
            found.raw_lfs.extend([path] if _is_raw_lfs(path, file, kept.get(path)) else [])
        elif _ENCRYPTING.fullmatch(name):
            found.to_encrypt.extend([path] if _is_to_encrypt(file) else [])
        elif name != _NONE and not file.is_symlink():
            found.unfiltered[path] = name
    return found


def unpulled(
    git: Git, work_tree: Path, touched: Iterable[bytes], entries: Collection[IndexEntry]
) -> list[bytes]:
    """The touched paths without those whose content was only fetched from git LFS: it is the one
    that the pointer in the starting index names."""
    paths = [*touched]
    if not paths or not any(path.endswith(_ATTRIBUTES) for _, path in entries):
        return paths
    asked = frozenset(paths)
    blobs = {path: header.split(b" ")[1] for header, path in entries if path in asked}
    small = small_blobs(git, blobs.values(), POINTER_BYTES)
    pulled = {
        path
        for path, blob in blobs.items()
        if _is_content(work_tree / os.fsdecode(path), small.get(blob, b""))
    }
    return [path for path in paths if path not in pulled]


def named(filters: Mapping[bytes, bytes]) -> list[str]:
    """Each path with the name of its filter."""
    return [f"{os.fsdecode(path)} ({os.fsdecode(name)})" for path, name in filters.items()]


def _is_raw_lfs(path: bytes, file: Path, kept: bytes | None) -> bool:
    """A file that the repository keeps with its own content stays so."""
    if path.endswith(_ATTRIBUTES) or file.is_symlink():
        return False
    content = files.read(file, most=POINTER_BYTES) or b""
    is_ours = kept is not None and not kept.startswith(_POINTER)
    return not (is_ours or content.startswith(_POINTER))


def _is_to_encrypt(file: Path) -> bool:
    content = files.read(file)
    return bool(content) and not (content or b"").startswith(_ENCRYPTED)


def _is_content(file: Path, pointer: bytes) -> bool:
    named = _CONTENT.search(pointer) if pointer.startswith(_POINTER) else None
    try:
        found = file.lstat()
        if named is None or not stat.S_ISREG(found.st_mode) or found.st_size != int(named[2]):
            return False
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest().encode() == named[1]
    except OSError:
        return False
