"""The repository behind an address that was copied from a browser: a branch, a file, an issue.

git cannot clone such a page, and would say so only after a sandbox was paid for.
"""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from gateway.domain.repositories.hosts import canonical_netloc

_OWNER_AND_NAME: Final = frozenset({"github.com", "bitbucket.org", "codeberg.org", "gitea.com"})
"""Hosts where a repository is `owner/name`, and whatever follows is a page of it."""
_NO_OWNERS: Final = frozenset(
    {"orgs", "users", "settings", "marketplace", "topics", "search", "sponsors", "apps", "login"}
)
"""Paths of GitHub that begin like an owner and are none."""
_GITLAB: Final = "gitlab.com"
"""Groups nest there, and `/-/` stands between a repository and its pages."""
_REST_API: Final = re.compile(r"api\.(?P<host>github\.com|[a-z0-9-]+\.ghe\.com)")
_PAGE: Final = re.compile(
    r"(?:tree|blob|raw|blame|edit|commits|compare|releases/tag|src/(?:branch|tag|commit))/.+"
    r"|(?:pull|pulls|issues|merge_requests|pull-requests|pullrequest|discussions)/\d+(?:/.*)?"
    r"|commit/[0-9a-f]{7,64}(?:/.*)?|actions/runs/\d+(?:/.*)?"
    r"|pulls|branches|actions|releases|tags",
    re.IGNORECASE,
)
"""Pages of a repository on a host of unknown make, behind at least an owner and a name."""


def is_page(parts: SplitResult) -> bool:
    """Whether the address leads past or beside a repository, as far as its host is known."""
    segments = _segments(parts)
    path = _repository_path(_host(parts), segments)
    return path is None or len(path) < len(segments)


def repository_of(url: str) -> str | None:
    """The https address of the repository that this is, or is a page of.

    It holds no user name, query or fragment: each may be a secret. None: it cannot be known.
    """
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
    except ValueError:
        return None
    host = _host(parts)
    path = _repository_path(host, _segments(parts))
    if not path or not (host.startswith("[") or "." in host):
        return None
    api = _REST_API.fullmatch(host)
    return f"https://{api['host'] if api else host}/{'/'.join(path)}"


def _repository_path(host: str, segments: list[str]) -> list[str] | None:
    """The segments of the repository itself; None: there is none at this address."""
    if _REST_API.fullmatch(host):
        return segments[1:3] if segments[:1] == ["repos"] and len(segments) > 2 else None
    if host in _OWNER_AND_NAME or host.endswith(".ghe.com"):
        return None if len(segments) < 2 or segments[0] in _NO_OWNERS else segments[:2]
    for divider in ("-", "+"):
        if divider in segments[1:]:
            return segments[: segments.index(divider, 1)]
    if host == _GITLAB:
        return segments
    ends = (end for end in range(2, len(segments)) if _PAGE.fullmatch("/".join(segments[end:])))
    return segments[: next(ends, len(segments))]


def _host(parts: SplitResult) -> str:
    try:
        return canonical_netloc(parts)
    except ValueError:
        return ""


def _segments(parts: SplitResult) -> list[str]:
    return [part for part in parts.path.split("/") if part]
