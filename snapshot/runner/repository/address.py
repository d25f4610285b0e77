"""The address of a repository and the names of branches, checked against the rules."""

import re
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ..failure import RepositoryRejected
from ..network.hosts import canonical_host, netloc
from .git import Git, GitFailed

SCHEMES: Final = ("https", "ssh", "file")
LONGEST_URL_CHARACTERS: Final = 2_000
LONGEST_BRANCH_BYTES: Final = 240
_SCP: Final = re.compile(r"(?:(?P<user>[\w.][\w.-]*)@)?(?P<host>[\w][\w.-]*):(?P<path>[^:].*)")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_INVISIBLE: Final = re.compile(r"[\x00-\x20\x7f]")
_ALLOWED: Final = "only https, ssh, git@host:path and file are allowed"


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """A remote repository whose address keeps the rules."""

    url: str
    scheme: str
    host: str
    """Canonical; with a port only if that is https and not the default."""
    path: str

    @property
    def slug(self) -> tuple[str, str] | None:
        """Owner and name: the last two components of the path, if they can be that."""
        parts = [part for part in PurePosixPath(self.path).parts if part != "/"]
        if len(parts) < 2:
            return None
        owner, name = parts[-2], parts[-1].removesuffix(".git")
        return (owner, name) if _NAME.fullmatch(owner) and _NAME.fullmatch(name) else None

    def over_https(self, host: str | None = None) -> "Repository":
        """The same repository where a token can open it; a given host may have a port."""
        host = host or self.host
        path = self.path.lstrip("/")
        return Repository(url=f"https://{host}/{path}", scheme="https", host=host, path=path)


def parse(url: str) -> Repository:
    """Check an address; raises `repo_url_refused` with the rule that it breaks."""
    if url.startswith("-"):
        raise _rejected("it must not begin with '-'")
    if len(url) > LONGEST_URL_CHARACTERS or _INVISIBLE.search(url):
        most = f"at most {LONGEST_URL_CHARACTERS} characters"
        raise _rejected(f"{most}, no white space or control characters")
    if "::" in url:
        raise _rejected("remote helpers ('ext::', 'fd::') are not allowed")
    try:
        repository = _with_scheme(url) if "://" in url else _scp_like(url)
    except ValueError as exc:
        raise _rejected(f"it is not a URL: {exc}") from exc
    if repository.scheme not in SCHEMES:
        raise _rejected(_ALLOWED)
    if any(part.startswith("-") for part in (repository.host, repository.path.lstrip("/"))):
        raise _rejected("neither host nor path may begin with '-'")
    return repository


def _with_scheme(url: str) -> Repository:
    parts = urlsplit(url)
    host = netloc(url)
    if parts.scheme in {"https", "ssh"} and not parts.hostname:
        raise _rejected("it names no host")
    if parts.scheme == "file" and parts.netloc not in {"", "localhost"}:
        raise _rejected("a file URL has the form file:///path")
    if parts.password is not None or (parts.scheme == "https" and parts.username is not None):
        raise _rejected("it must not hold credentials; hand them over as GITHUB_TOKEN")
    if (parts.username or "").startswith("-"):
        raise _rejected("the user must not begin with '-'")
    if parts.scheme != "https":
        return Repository(url=url, scheme=parts.scheme, host=host, path=parts.path)
    if parts.query or parts.fragment:
        raise _rejected("it must have no query and no fragment")
    url = f"https://{host}{parts.path}"
    return Repository(url=url, scheme="https", host=host, path=parts.path)


def _scp_like(url: str) -> Repository:
    match = _SCP.fullmatch(url)
    if match is None:
        raise _rejected(_ALLOWED)
    host = canonical_host(match["host"])
    return Repository(url=url, scheme="ssh", host=host, path=match["path"])


def _rejected(rule: str) -> RepositoryRejected:
    return RepositoryRejected("repo_url_refused", f"the repository's address is refused: {rule}")


def check_branch(git: Git, name: str, variable: str) -> None:
    """Check a branch name; raises `branch_name_refused` with the rule that it breaks."""
    rule = ""
    if name.startswith("-"):
        rule = "it must not begin with '-'"
    elif len(name.encode()) > LONGEST_BRANCH_BYTES:
        rule = f"at most {LONGEST_BRANCH_BYTES} bytes"
    else:
        try:
            git("check-ref-format", "--branch", name)
        except (GitFailed, ValueError):
            rule = f"{name!r} breaks git check-ref-format"
    if rule:
        raise RepositoryRejected("branch_name_refused", f"{variable} is refused: {rule}")
