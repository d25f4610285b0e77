"""Submodules, checked out like their repository; the token is used only where it is for them."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple
from urllib.parse import urljoin

import msgspec

from .. import files
from ..failure import Failure
from . import clean_checkout
from .access import Access
from .address import Repository
from .exclusions import not_checked_out
from .git import Git, GitFailed
from .plumbing import submodule_commits
from .remote import Clone

DEEPEST: Final = 5
"""Levels of submodules within submodules."""
MOST: Final = 100


class _Submodule(NamedTuple):
    path: str
    sha: str
    url: str | None
    """None: .gitmodules has none."""


class Clones:
    """The clones of a repository and of all its submodules."""

    def __init__(self, git: Git, access: Access) -> None:
        self._git = git
        self._access = access
        self.found: list[tuple[str, Clone]] = []
        """Path within the repository, empty for itself, and the clone at its commit."""
        self.warnings: list[str] = []
        """A sentence for each submodule that could not be cloned."""

    def make(self, repository: Repository, clone: Clone) -> None:
        """Clone the submodules of this clone's commit, unless that was done."""
        if not self.found:
            self._add(repository, clone, "", depth=0)

    def _add(self, repository: Repository, clone: Clone, path: str, *, depth: int) -> None:
        self.found.append((path, clone))
        for submodule in _submodules(self._git, clone):
            inner_path = str(PurePosixPath(path) / submodule.path)
            try:
                inner, inner_clone = self._clone(repository, clone, submodule, depth)
            except Failure as failure:
                self.warnings.append(not_checked_out(inner_path, failure.message))
                continue
            self._add(inner, inner_clone, inner_path, depth=depth + 1)

    def _clone(
        self, repository: Repository, clone: Clone, submodule: _Submodule, depth: int
    ) -> tuple[Repository, Clone]:
        if submodule.url is None:
            raise Failure("clone_failed", ".gitmodules does not name its address")
        if depth >= DEEPEST or len(self.found) > MOST:
            limits = f"up to {MOST} submodules in {DEEPEST} levels are checked out"
            raise Failure("clone_failed", limits)
        inner = self._access.submodule(_resolved(repository, submodule.url))
        remote = self._access.remote(inner, is_submodule=True)
        name = f"inner-{len(self.found)}-{len(self.warnings)}"
        made = remote.clone(clone.directory.with_name(name))
        if not remote.has(made, submodule.sha):
            raise Failure("clone_failed", f"its remote has no commit {submodule.sha}")
        return inner, msgspec.structs.replace(made, base_sha=submodule.sha)


def fill(git: Git, clones: Sequence[tuple[str, Clone]], workdir: Path, checkout: Path) -> None:
    """Give a clean checkout the submodules that the agent began with."""
    for number, (path, clone) in enumerate(clones):
        directory = checkout / path
        if path and files.is_directory(directory):
            base = clean_checkout.unchanged(git, clone, workdir / f"inner-{number}")
            clean_checkout.fill(git, clone, base, directory)


def _submodules(git: Git, clone: Clone) -> Iterator[_Submodule]:
    links = {
        path.decode(errors="replace"): sha.decode()
        for path, sha in submodule_commits(git.at(clone.directory), clone.base_sha).items()
    }
    urls = _urls(git, clone) if links else {}
    for path, sha in sorted(links.items()):
        yield _Submodule(path, sha, urls.get(path))


def _urls(git: Git, clone: Clone) -> dict[str, str]:
    """Path → address in .gitmodules of the commit."""
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
    if not url.startswith(("./", "../")):
        return url
    around = repository.url.rstrip("/") + "/"
    if "://" not in around:
        host, _, path = around.partition(":")
        return f"{host}:{urljoin(f'file:///{path}', url).removeprefix('file:///')}"
    scheme, _, rest = around.partition("://")
    joined = urljoin(f"http://{rest}" if scheme != "file" else f"http://x{rest}", url)
    path = joined.removeprefix("http://x" if scheme == "file" else "http://")
    return f"{scheme}://{path.rstrip('/')}"
