"""The repository of the task: which addresses and branch names we take, and what they mean."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ..failure import Failure
from ..network.hosts import canonical_host, netloc
from .git import Git, GitFailed

SCHEMES: Final = ("https", "ssh", "file")
LONGEST_URL: Final = 2_000
LONGEST_BRANCH: Final = 240
_SCP: Final = re.compile(r"(?:(?P<user>[\w.][\w.-]*)@)?(?P<host>[\w][\w.-]*):(?P<path>[^:].*)")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_INVISIBLE: Final = re.compile(r"[\x00-\x20\x7f]")


class RepositoryRejected(Failure):
    """Something of the task breaks a rule; the message names the rule."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """A remote we agreed to speak to."""

    url: str
    scheme: str
    host: str
    """In its one spelling; with a port only if that is https and not the usual one."""
    path: str

    @property
    def slug(self) -> tuple[str, str] | None:
        """Owner and name: the last two components of the path, if they can be that."""
        parts = [part for part in PurePosixPath(self.path).parts if part != "/"]
        if len(parts) < 2:
            return None
        owner, name = parts[-2], parts[-1].removesuffix(".git")
        if not (_NAME.fullmatch(owner) and _NAME.fullmatch(name)):
            return None
        return owner, name

    def over_https(self, host: str | None = None) -> "Repository":
        """The same repository where a token can open it; a host given may bring a port."""
        host = host or self.host
        path = self.path.lstrip("/")
        return Repository(url=f"https://{host}/{path}", scheme="https", host=host, path=path)


def parse(url: str) -> Repository:
    """Check an address against the rules.

    Raises:
        RepositoryRejected: `repo_url_refused`, with the rule.
    """
    if url.startswith("-"):
        raise _refused("it must not begin with '-'")
    if len(url) > LONGEST_URL or _INVISIBLE.search(url):
        raise _refused(f"at most {LONGEST_URL} characters, no white space or control characters")
    if "::" in url:
        raise _refused("remote helpers ('ext::', 'fd::') are not allowed")
    repository = _with_scheme(url) if "://" in url else _scp_like(url)
    if repository.scheme not in SCHEMES:
        raise _refused("only https, ssh, git@host:path and file are allowed")
    if any(part.startswith("-") for part in (repository.host, repository.path.lstrip("/"))):
        raise _refused("neither host nor path may begin with '-'")
    return repository


def _with_scheme(url: str) -> Repository:
    try:
        parts = urlsplit(url)
        host = netloc(url)
    except ValueError as exc:
        raise _refused(f"it is not a URL: {exc}") from exc
    if parts.scheme in {"https", "ssh"} and not parts.hostname:
        raise _refused("it names no host")
    if parts.scheme == "file" and parts.netloc not in {"", "localhost"}:
        raise _refused("a file URL has the form file:///path")
    if parts.password is not None or (parts.scheme == "https" and parts.username is not None):
        raise _refused("it must not hold credentials; hand them over as GITHUB_TOKEN")
    _check_ssh_user(parts)
    if parts.scheme != "https":
        return Repository(url=url, scheme=parts.scheme, host=host, path=parts.path)
    if parts.query or parts.fragment:
        raise _refused("it must have no query and no fragment")
    url = f"https://{host}{parts.path}"
    return Repository(url=url, scheme="https", host=host, path=parts.path)


def _check_ssh_user(parts: SplitResult) -> None:
    if (parts.username or "").startswith("-"):
        raise _refused("the user must not begin with '-'")


def _scp_like(url: str) -> Repository:
    match = _SCP.fullmatch(url)
    if match is None:
        raise _refused("only https, ssh, git@host:path and file are allowed")
    try:
        host = canonical_host(match["host"])
    except ValueError as exc:
        raise _refused(f"it is not a URL: {exc}") from exc
    return Repository(url=url, scheme="ssh", host=host, path=match["path"])


def _refused(rule: str) -> RepositoryRejected:
    return RepositoryRejected("repo_url_refused", f"TARGET_REPO is refused: {rule}")


def check_branch(git: Git, name: str, variable: str) -> None:
    """Hold a branch name against git's own rules, and ours about options.

    Raises:
        RepositoryRejected: `branch_name_refused`, with the rule.
    """
    if name.startswith("-"):
        raise RepositoryRejected(
            "branch_name_refused", f"{variable} is refused: it must not begin with '-'"
        )
    if len(name.encode()) > LONGEST_BRANCH:
        message = f"{variable} is refused: at most {LONGEST_BRANCH} bytes"
        raise RepositoryRejected("branch_name_refused", message)
    try:
        git("check-ref-format", "--branch", name)
    except (GitFailed, ValueError) as exc:
        message = f"{variable} is refused: {name!r} breaks git check-ref-format"
        raise RepositoryRejected("branch_name_refused", message) from exc
