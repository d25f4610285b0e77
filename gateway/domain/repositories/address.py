"""Addresses of repositories, independent of transport and spelling."""

import re
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from gateway.domain.repositories.hosts import canonical_netloc, without_port

SCP: Final = re.compile(r"(?P<user>[^@/:]*)@(?P<host>[^/:@]+):(?P<path>.*)", re.DOTALL)
"""`git@host:path`, the scp form."""
_IGNORES_CASE: Final = re.compile(r"github\.com|gitlab\.com|bitbucket\.org|.+\.ghe\.com")
"""Hosts that are known to ignore the case of a path."""


class RepositoryAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A repository on a host."""

    host: str
    """Canonical, with a port only if it is https and not the default."""
    path: str
    """Without `.git` and outer slashes."""
    is_ssh: bool

    @property
    def folded_path(self) -> str:
        """The path in lower case, on hosts that ignore case."""
        return self.path.lower() if _IGNORES_CASE.fullmatch(self.host) else self.path


def address_of(repo_url: str) -> RepositoryAddress | None:
    """The address of a checked repository URL; None for `file://`."""
    parts = _split(repo_url)
    if parts.scheme == "file":
        return None
    return RepositoryAddress(
        host=canonical_netloc(parts), path=_bare(parts.path), is_ssh=parts.scheme == "ssh"
    )


def is_same_repository(one: str, other: str) -> bool:
    """True if two checked URLs name one repository, by any transport."""
    here, there = address_of(one), address_of(other)
    if here is None or there is None:
        return one == other
    return (here.host, here.folded_path) == (there.host, there.folded_path)


def is_in_repository(web_url: str, repo_url: str) -> bool:
    """True if a web address (of a pull request, say) lies in this repository.

    Paths are compared without case. A self-hosted ssh repository may have its pages at any port of
    its host. No web address lies in a `file://` repository.
    """
    try:
        web = urlsplit(web_url)
        host, repository = canonical_netloc(web), address_of(repo_url)
    except ValueError:
        return False
    if repository is None or web.scheme != "https" or "@" in web.netloc or "\\" in web_url:
        return False
    if repository.is_ssh and not _IGNORES_CASE.fullmatch(repository.host):
        host = without_port(host)
    is_there = host == repository.host
    path = unquote(web.path)
    is_direct = path.count("/") == web.path.count("/") and not {".", ".."} & set(path.split("/"))
    begin = f"/{repository.path}/".lower()
    return is_there and is_direct and web.path.lower().startswith(begin)


def is_named_by(pattern: str, repo_url: str) -> bool:
    """True if a glob pattern matches this checked URL.

    `*` also matches `/` in a path, but no `*` in a host matches beyond it.
    """
    repository = address_of(repo_url)
    if pattern == "*" or repository is None:
        return pattern == "*" or fnmatchcase(_bare(repo_url), _bare(pattern))
    scheme, slashes, rest = pattern.partition("://")
    if not slashes:
        scheme, rest = "ssh", pattern.replace(":", "/", 1)
    netloc, _, path = rest.partition("/")
    host = _host_glob(scheme.lower(), netloc)
    if scheme.lower() not in {"https", "ssh", "*"} or not _matches(repository.host, host):
        return False
    ours, theirs = repository.path, _bare(path) or "*"
    if _IGNORES_CASE.fullmatch(repository.host):
        ours, theirs = ours.lower(), theirs.lower()
    return _matches(ours, theirs)


def _matches(text: str, pattern: str) -> bool:
    return text == pattern or fnmatchcase(text, pattern)


def _host_glob(scheme: str, netloc: str) -> str:
    """The canonical host of a pattern, or its text if it has wildcards."""
    try:
        return canonical_netloc(urlsplit(f"{'ssh' if scheme == 'ssh' else 'https'}://{netloc}"))
    except ValueError:
        return netloc.lower()


def _split(repo_url: str) -> SplitResult:
    scp = SCP.fullmatch(repo_url) if "://" not in repo_url else None
    return urlsplit(f"ssh://{scp['host']}/{scp['path']}" if scp else repo_url)


def _bare(path: str) -> str:
    return path.strip("/").removesuffix(".git").rstrip("/")
