"""The agent's work as it lies on the disk: its repositories, and the commits it began from.

A record of it lies in the state directory, where a later process finds it if the runner was killed.
The agent could have written that record, so it is not trusted.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from .. import files
from ..failure import Failure
from ..stop import Stopped
from . import patch
from .exclusions import cut
from .git import Git
from .patch import Patch
from .references import SHA
from .starting_state import StartingState

RECORD: Final = "work.json"
LARGEST_RECORD_BYTES: Final = 64 * 1024
LATER: Final = "slipgate: what follows is kept for people, and is not in the pull request"
"""A line of the kept text, which git ignores between two files."""
_WORKDIR: Final = re.compile(r"work-[a-z]+-[A-Za-z0-9_]+/[a-z0-9-]+")


class _Repository(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    base_sha: str
    clone: str
    """Relative to the state directory, like `checkout`."""


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    checkout: str
    repositories: tuple[_Repository, ...]
    is_finished: bool


class WholePatch(msgspec.Struct, frozen=True, kw_only=True):
    """The patch of the task's repository, and those of its submodules, which are only kept."""

    main: Patch
    submodules: tuple[Patch, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        inner = (text for one in self.submodules for text in (one.text, one.later))
        later = [text for text in (self.main.later, *inner) if text]
        return self.main.text + "".join([f"{LATER}\n", *later] if later else [])

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about all that is not in the part that goes out."""
        inner = (sentence for one in self.submodules for sentence in one.warnings)
        return (*self.doubts, *self.main.warnings, *inner)

    @property
    def is_whole(self) -> bool:
        """True if all known work is in the part that goes out."""
        return not self.doubts and all(one.is_whole for one in (self.main, *self.submodules))


def published(text: str) -> str:
    """The part of a kept text that goes out."""
    return f"\n{text}".partition(f"\n{LATER}\n")[0].removeprefix("\n") + "\n"


class AgentsWork(msgspec.Struct, frozen=True, kw_only=True):
    states: tuple[StartingState, ...]
    """The task's own repository first."""
    is_finished: bool = False
    """The agent was done: it neither failed nor was interrupted."""

    @property
    def base_sha(self) -> str:
        return self.states[0].base_sha

    def patch(self, git: Git, workdir: Path, *, is_secret: Callable[[bytes], bool]) -> WholePatch:
        """The patch of all changes, made in a new `workdir`.

        Raises `Failure` (the task's own repository cannot be read).
        """
        main, *rest = self.states
        around = main.work_tree.parent
        made = patch.make(git, main, workdir / "main", is_secret=is_secret, around=around)
        submodules, doubts = [], []
        for number, start in enumerate(rest):
            name = f"The submodule `{start.path}`"
            try:
                inner = patch.make(git, start, workdir / f"inner-{number}", is_secret=is_secret)
            except (Failure, Stopped) as exc:
                doubts.append(cut(f"{name} cannot be read: {exc}."))
                continue
            submodules.append(inner)
            if inner.text:
                changed = "its changes are kept with the patch and are not in the pull request"
                doubts.append(cut(f"{name} is changed: {changed}."))
        return WholePatch(main=made, submodules=tuple(submodules), doubts=tuple(doubts))

    def record(self, state: Path) -> None:
        """Write the record for `found`; without it only a later start finds less."""
        repositories = tuple(
            _Repository(
                path=start.path,
                base_sha=start.base_sha,
                clone=str(start.clone.relative_to(state)),
            )
            for start in self.states
        )
        record = _Record(
            checkout=str(self.states[0].work_tree.relative_to(state)),
            repositories=repositories,
            is_finished=self.is_finished,
        )
        draft = state / f"{RECORD}.new"
        with suppress(OSError):
            draft.write_bytes(msgspec.json.encode(record))
            draft.replace(state / RECORD)


def forget(state: Path) -> None:
    """Remove the record, so that `found` finds none."""
    with suppress(OSError):
        (state / RECORD).unlink()


def found(state: Path) -> AgentsWork | None:
    """The work on record in a state directory, if it is there."""
    content = files.read(state / RECORD, most=LARGEST_RECORD_BYTES)
    if content is None:
        return None
    try:
        record = msgspec.json.decode(content, type=_Record)
    except msgspec.MsgspecError:
        return None
    checkout = _inside(state, record.checkout)
    if checkout is None:
        return None
    states = [_state(state, checkout, one) for one in record.repositories]
    known = tuple(start for start in states if start is not None)
    if not known or known[0].path:
        return None
    return AgentsWork(states=known, is_finished=record.is_finished)


def _state(state: Path, checkout: Path, one: _Repository) -> StartingState | None:
    clone = _inside(state, one.clone)
    parts = PurePosixPath(one.path).parts
    is_sane = ".." not in parts and not one.path.startswith("/")
    if clone is None or not is_sane or not SHA.fullmatch(one.base_sha):
        return None
    work_tree = checkout.joinpath(*parts)
    return StartingState(clone=clone, base_sha=one.base_sha, work_tree=work_tree, path=one.path)


def _inside(state: Path, name: str) -> Path | None:
    """A directory two below the state directory, reached through no link."""
    if not _WORKDIR.fullmatch(name):
        return None
    path = state / name
    return path if all(files.is_directory(one) for one in (path.parent, path)) else None
