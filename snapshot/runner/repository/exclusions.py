"""Paths that are excluded from a patch: the reasons, the sentences, and the artifacts of tools."""

import re
from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from typing import Final, NamedTuple

from ..findings.find import EXECUTABLE_NOW
from ..text import visible
from .plumbing import parents

NAMED_PATHS: Final = 8
"""Of one reason; further ones are counted."""
NAME_CHARACTERS: Final = 120
SENTENCE_CHARACTERS: Final = 500
"""The gateway takes no more."""
_CACHES: Final = re.compile(
    rb"__pycache__|\.(?:pytest|mypy|ruff|parcel)[_-]cache|\.hypothesis|\.npm|\.DS_Store|\.coverage"
    rb"|.*\.py[co]|\.aider\.(?:tags\.cache|(?:chat|input|llm)\.history).*"
)
"""Made anew when needed: not reported."""
_BUILT: Final = re.compile(
    rb"node_modules|bower_components|\.?venv|\.tox|\.nox|\.eggs|.*\.egg-info|\.gradle|\.next|\.nuxt"
    rb"|\.turbo|\.terraform|\.zig-cache|\.bundle"
)
_MARKS: Final = (b"pyvenv.cfg", b"CACHEDIR.TAG")
"""Files in a folder that a tool made (PEP 405; bford.info/cachedir)."""
SETUP: Final = "Dependencies may be missing: "
"""The beginning of a warning about the set-up before an agent."""


_NOT_CHECKED_OUT: Final = re.compile(r"The submodule `.*?` is not checked out: ")


class ExclusionReason(Enum):
    """The value is the reason's text in a sentence."""

    BUILT = "a folder that tools build"
    IGNORED = "ignored by the repository's own rules"
    CORE = "a core dump"
    SPECIAL = "neither a file nor a link"
    LINK_OUT = "a symbolic link out of the repository"
    REPLACED = "replaced by a symbolic link out of the repository"
    LINK_GIT = "a symbolic link into a .git directory"
    GIT = "it lies in a .git directory"
    NESTED = "a repository inside the repository"
    SUBMODULE = "it changes a submodule"
    LARGE = "too large"
    SECRET = "it holds a secret of the sandbox"  # noqa: S105 - a reason, not a secret
    UNREADABLE = "it cannot be read"
    LFS = "git LFS keeps its content, which is not pushed"
    ENCRYPTED = "the repository encrypts it, which no program did here"
    WORKTREE = "a worktree of the repository"
    UNTAKEN = "git does not take it"
    NO_TEXT = "a symbolic link whose target is not UTF-8"


HARMLESS: Final = frozenset(
    {
        ExclusionReason.BUILT,
        ExclusionReason.IGNORED,
        ExclusionReason.CORE,
        ExclusionReason.SPECIAL,
        ExclusionReason.LINK_OUT,
        ExclusionReason.WORKTREE,
    }
)
"""Paths of other reasons may be a part of the work: a person must look."""


class Exclusion(NamedTuple):
    path: str
    reason: ExclusionReason


def sentences(exclusions: Iterable[Exclusion]) -> list[str]:
    """One sentence a reason, the harmless ones last."""
    by_reason: dict[ExclusionReason, list[str]] = {}
    for path, reason in exclusions:
        by_reason.setdefault(reason, []).append(path)
    return [
        cut(f"Left out ({reason.value}): {named(paths)}.")
        for reason, paths in sorted(by_reason.items(), key=lambda item: item[0] in HARMLESS)
    ]


def is_harmless(sentence: str) -> bool:
    """True if nobody has to look because of this warning."""
    harmless = (
        "Not deleted (",
        SETUP,
        f"{EXECUTABLE_NOW}:",
        *(f"Left out ({reason.value})" for reason in HARMLESS),
    )
    return sentence.startswith(harmless) or bool(_NOT_CHECKED_OUT.match(sentence))


def not_checked_out(path: str, reason: str) -> str:
    """The warning about a submodule that neither the agent nor its checks have."""
    return cut(f"The submodule `{path}` is not checked out: {reason}.")


def named(paths: Sequence[str], *, most: int = NAMED_PATHS) -> str:
    """The first paths by name, the rest as a number."""
    shown = ", ".join(f"`{_shown(path)}`" for path in sorted(paths)[:most])
    rest = len(paths) - most
    return f"{shown} and {rest} more" if rest > 0 else shown


def cut(sentence: str) -> str:
    if len(sentence) <= SENTENCE_CHARACTERS:
        return sentence
    return sentence[: SENTENCE_CHARACTERS - 1] + "…"


def _shown(path: str) -> str:
    text = visible(path.encode(errors="surrogateescape").decode(errors="replace"))
    text = " ".join(text.replace("`", "'").split())
    return text if len(text) <= NAME_CHARACTERS else text[: NAME_CHARACTERS - 1] + "…"


class BuildArtifacts:
    """New files and folders of tools, in a repository that does not ignore them.

    None is in a folder of which the repository itself keeps files.
    """

    def __init__(self, *, kept: Collection[bytes], new: Collection[bytes]) -> None:
        folders = {path.rpartition(b"/")[0] for path in kept} - {b""}
        self._kept_folders = {around for one in folders for around in (*parents(one), one)}
        splits = (path.rpartition(b"/") for path in new)
        self._marked = {folder for folder, _, name in splits if name in _MARKS} - {b""}

    def is_cache(self, path: bytes) -> bool:
        return any(_CACHES.fullmatch(name) for name, _ in self._new_parts(path))

    def keeps(self, path: bytes) -> bool:
        """True for a folder of which the repository keeps files."""
        return path in self._kept_folders

    def built(self, path: bytes) -> bytes | None:
        """The outermost built folder that the path is, or is in."""
        for name, folder in self._new_parts(path):
            if _BUILT.fullmatch(name) or folder in self._marked:
                return folder
        return None

    def _new_parts(self, path: bytes) -> list[tuple[bytes, bytes]]:
        """Each name of the path with the path up to it, without the repository's own folders."""
        whole = path.rstrip(b"/")
        paths = [folder for folder in (*parents(whole), whole) if folder not in self._kept_folders]
        return [(folder.rpartition(b"/")[2], folder) for folder in paths]
