"""Submodules of the repository: checked out like it, with the token only where it is for them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urljoin

from .. import files
from ..failure import Failure
from . import clean_checkout, starting_state
from .access import Access
from .address import Repository
from .exclusions import cut
from .git import Git, GitFailed
from .remote import Clone
from .starting_state import StartingState

DEEPEST: Final = 5
MOST: Final = 100
_RELATIVE: Final = ("./", "../")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    path: str
    sha: str
    url: str | None
    """As .gitmodules has it; None if it has none."""


def begin(
    git: Git, access: Access, repository: Repository, clone: Clone, checkout: Path
) -> tuple[tuple[StartingState, ...], tuple[str, ...]]:
    """Make the agent's checkout with all its submodules; the second are sentences about those
    that could not be had."""
    making = _Making(git, access, clone.directory.parent, checkout)
    making.begin(repository, clone, "", depth=0)
    return tuple(making.states), tuple(making.absent)


def fill(git: Git, states: Sequence[StartingState], workdir: Path, checkout: Path) -> None:
    """Give a clean checkout the submodules as the agent found them."""
    for number, start in enumerate(states):
        place = checkout / start.path
        if not start.path or not files.is_directory(place):
            continue
        directory = start.objects.parent.parent
        clone = Clone(directory=directory, base_sha=start.base_sha, base_branch="")
        base = clean_checkout.unchanged(git, clone, workdir / f"inner-{number}")
        clean_checkout.fill(git, clone, base, place)


class _Making:
    def __init__(self, git: Git, access: Access, workdir: Path, checkout: Path) -> None:
        self._git = git
        self._access = access
        self._workdir = workdir
        self._checkout = checkout
        self.states: list[StartingState] = []
        self.absent: list[str] = []

    def begin(self, repository: Repository, clone: Clone, path: str, *, depth: int) -> None:
        """One repository, then those in it."""
        place = self._checkout / path
        state = starting_state.begin(self._git, clone, place, path=path)
        self.states.append(state)
        for wanted in _wanted(self._git, clone):
            where = str(PurePosixPath(path) / wanted.path)
            try:
                inner, its_clone = self._clone(repository, wanted, depth)
            except Failure as failure:
                self._leave(where, failure.message)
                continue
            self.begin(inner, its_clone, where, depth=depth + 1)

    def _clone(
        self, repository: Repository, wanted: _Wanted, depth: int
    ) -> tuple[Repository, Clone]:
        if wanted.url is None:
            raise Failure("clone_failed", ".gitmodules does not name its address")
        if depth >= DEEPEST or len(self.states) > MOST:
            raise Failure("clone_failed", "there are too many submodules")
        inner = self._access.submodule(_resolved(repository, wanted.url))
        remote = self._access.remote(inner, is_submodule=True)
        clone = remote.clone(self._workdir / f"inner-{len(self.states)}-{len(self.absent)}")
        if not remote.has(clone, wanted.sha):
            raise Failure("clone_failed", f"its remote has no commit {wanted.sha}")
        return inner, replace(clone, base_sha=wanted.sha)

    def _leave(self, where: str, reason: str) -> None:
        self.absent.append(cut(f"The submodule `{where}` is not checked out: {reason}."))


def _wanted(git: Git, clone: Clone) -> Iterator[_Wanted]:
    listed = git.at(clone.directory)("ls-tree", "-r", "-z", clone.base_sha)
    entries = [entry.partition(b"\t") for entry in listed.split(b"\0") if entry]
    links = {
        path.decode(errors="replace"): header.split(b" ")[2].decode()
        for header, _, path in entries
        if header.startswith(b"160000")
    }
    if not links:
        return
    urls = _urls(git, clone)
    for path, sha in sorted(links.items()):
        yield _Wanted(path=path, sha=sha, url=urls.get(path))


def _urls(git: Git, clone: Clone) -> dict[str, str]:
    """Path → address, as .gitmodules of the commit has them."""
    blob = f"--blob={clone.base_sha}:.gitmodules"
    try:
        listed = git.at(clone.directory)("config", blob, "-z", "--get-regexp", r"^submodule\.")
    except GitFailed:
        return {}
    values: dict[str, dict[str, str]] = {}
    for entry in listed.decode(errors="replace").split("\0"):
        key, _, value = entry.partition("\n")
        if match := re.fullmatch(r"submodule\.(.*)\.(path|url)", key, re.DOTALL):
            values.setdefault(match[1], {})[match[2]] = value
    return {one["path"]: one["url"] for one in values.values() if {"path", "url"} <= one.keys()}


def _resolved(repository: Repository, url: str) -> str:
    """A relative address is one beside that of the repository around it (gitmodules(5))."""
    if not url.startswith(_RELATIVE):
        return url
    around = repository.url.rstrip("/") + "/"
    if "://" not in around:
        host, _, path = around.partition(":")
        return f"{host}:{urljoin(f'file:///{path}', url).removeprefix('file:///')}"
    scheme, _, rest = around.partition("://")
    joined = urljoin(f"http://{rest}" if scheme != "file" else f"http://x{rest}", url)
    path = joined.removeprefix("http://x" if scheme == "file" else "http://")
    return f"{scheme}://{path.rstrip('/')}"
