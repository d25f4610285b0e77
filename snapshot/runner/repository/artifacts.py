"""Folders and files that tools leave behind in repositories that forgot to ignore them.

Only new files are meant, and none in a folder of which the repository itself keeps files.
"""

import re
from collections.abc import Collection
from typing import Final

_CACHES: Final = re.compile(
    rb"__pycache__|\.(?:pytest|mypy|ruff|parcel)[_-]cache|\.hypothesis|\.npm|\.DS_Store|\.coverage"
    rb"|.*\.py[co]"
)
"""Made anew by whatever needs them: not worth a word."""
_BUILT: Final = re.compile(
    rb"node_modules|bower_components|\.?venv|\.tox|\.nox|\.eggs|.*\.egg-info|\.gradle|\.next|\.nuxt"
    rb"|\.turbo|\.terraform|\.zig-cache|\.bundle"
)
_MARKS: Final = (b"pyvenv.cfg", b"CACHEDIR.TAG")
"""Files that say of the folder around them that a tool made it (PEP 405; bford.info/cachedir)."""


class BuildArtifacts:
    """Knows them by name and by the marks that lie in them."""

    def __init__(self, *, kept: Collection[bytes], new: Collection[bytes]) -> None:
        """Take the repository's own paths and the new ones."""
        self._kept_folders = {folder for path in kept for folder in _folders(path)}
        self._marked = {
            path.rpartition(b"/")[0] for path in new if path.rpartition(b"/")[2] in _MARKS
        } - {b""}

    def is_cache(self, path: bytes) -> bool:
        """It is one, or lies in one."""
        return any(_CACHES.fullmatch(name) for name, _ in self._new_parts(path))

    def built(self, path: bytes) -> bytes | None:
        """The outermost built folder that it lies in or is, or None."""
        return next(
            (
                place
                for name, place in self._new_parts(path)
                if _BUILT.fullmatch(name) or place in self._marked
            ),
            None,
        )

    def _new_parts(self, path: bytes) -> list[tuple[bytes, bytes]]:
        """Each name of the path with the path up to it, without the repository's own folders."""
        parts = path.rstrip(b"/").split(b"/")
        places = [b"/".join(parts[: end + 1]) for end in range(len(parts))]
        return [
            (name, place)
            for name, place in zip(parts, places, strict=True)
            if place not in self._kept_folders
        ]


def _folders(path: bytes) -> list[bytes]:
    parts = path.split(b"/")[:-1]
    return [b"/".join(parts[: end + 1]) for end in range(len(parts))]
