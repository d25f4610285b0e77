"""Paths that cannot go out with a patch, why, and how they are named."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..text import visible

NAMES: Final = 8
"""So many paths are named for one reason, the others counted."""
NAME_CHARACTERS: Final = 120
SENTENCES: Final = 50
SENTENCE_CHARACTERS: Final = 500
"""The gateway takes no more."""


class ExclusionReason(Enum):
    """The reason, as it is said."""

    BUILT = "a folder that tools build"
    IGNORED = "ignored by the repository's own rules"
    CORE = "a core dump"
    SPECIAL = "neither a file nor a link"
    LINK_OUT = "a symbolic link out of the repository"
    LINK_GIT = "a symbolic link into a .git directory"
    GIT = "it lies in a .git directory"
    NESTED = "a repository inside the repository"
    SUBMODULE = "it changes a submodule"
    LARGE = "too large"
    SECRET = "it holds a secret of the sandbox"  # noqa: S105 - a reason, not a secret
    UNREADABLE = "it cannot be read"
    LFS = "git LFS keeps its content, which is not pushed"
    UNTAKEN = "git does not take it"


HARMLESS: Final = frozenset(
    {
        ExclusionReason.BUILT,
        ExclusionReason.IGNORED,
        ExclusionReason.CORE,
        ExclusionReason.SPECIAL,
        ExclusionReason.LINK_OUT,
    }
)
"""Nobody has to look because of these; all others may be a part of the work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exclusion:
    """One path and its reason."""

    path: str
    why: ExclusionReason


def sentences(excluded: Iterable[Exclusion]) -> list[str]:
    """One sentence a reason."""
    by_reason: dict[ExclusionReason, list[str]] = {}
    for one in excluded:
        by_reason.setdefault(one.why, []).append(one.path)
    return [
        cut(f"Left out ({why.value}): {named(paths)}.")
        for why, paths in sorted(by_reason.items(), key=lambda item: item[0] in HARMLESS)
    ]


def is_harmless(sentence: str) -> bool:
    """Whether nobody has to look because of this sentence, as `sentences` or a note says it."""
    harmless = ("Not deleted (", *(f"Left out ({why.value})" for why in HARMLESS))
    return sentence.startswith(harmless)


def named(paths: Sequence[str]) -> str:
    """The first of them by name, the rest as a number."""
    shown = ", ".join(f"`{_shown(path)}`" for path in sorted(paths)[:NAMES])
    rest = len(paths) - NAMES
    return f"{shown} and {rest} more" if rest > 0 else shown


def cut(sentence: str) -> str:
    """At most as long as the gateway takes."""
    if len(sentence) <= SENTENCE_CHARACTERS:
        return sentence
    return sentence[: SENTENCE_CHARACTERS - 1] + "…"


def _shown(path: str) -> str:
    """A name as people may read it: its bytes can be anything."""
    text = visible(path.encode(errors="surrogateescape").decode(errors="replace"))
    text = " ".join(text.replace("`", "'").split())
    return text if len(text) <= NAME_CHARACTERS else text[: NAME_CHARACTERS - 1] + "…"
