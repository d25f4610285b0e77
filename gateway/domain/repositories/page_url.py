"""The repository of a web page (a branch, file or issue), whose address was given by mistake.

Git cannot clone a page, and would fail only after a sandbox was paid for.
"""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from gateway.domain.repositories.hosts import canonical_netloc

_OWNER_AND_NAME: Final = frozenset({"github.com", "bitbucket.org", "codeberg.org", "gitea.com"})
"""Hosts whose repositories are `owner/name`; the rest of the path is a page."""
_NO_OWNERS: Final = frozenset(
    {"orgs", "users", "settings", "marketplace", "topics", "search", "sponsors", "apps", "login"}
)
"""First path segments at GitHub that are no owners."""
_GITLAB: Final = "gitlab.com"
"""Its groups nest, and `/-/` separates a repository from its pages."""
_REST_API: Final = re.compile(r"api\.(?P<host>github\.com|[a-z0-9-]+\.ghe\.com)")
_PAGE: Final = re.compile(
    r"(?:tree|blob|raw|blame|edit|commits|compare|releases/tag|src/(?:branch|tag|commit))/.+"
    r"|(?:pull|pulls|issues|merge_requests|pull-requests|pullrequest|discussions)/\d+(?:/.*)?"
    r"|commit/[0-9a-f]{7,64}(?:/.*)?|actions/runs/\d+(?:/.*)?"
    r"|pulls|branches|actions|releases|tags",
    re.IGNORECASE,
)
"""Pages of a repository on an unknown host, after at least an owner and a name."""


def is_page(parts: SplitResult) -> bool:
    """True if the address is known not to be that of a repository."""
    segments = _segments(parts)
    path = _repository_path(_host(parts), segments)
    return path is None or len(path) < len(segments)


def repository_of(url: str) -> str | None:
    """The https address of the page's repository, or None if it is unknown.

    User name, query and fragment are left out, because each may be secret.
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
    """The path segments of the repository; None: the address has none."""
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
