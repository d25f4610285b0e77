"""The provenance of an agent's result: its pull request, branch and commit must be the task's own.

The holder of an attempt's key may send anything, but people click the address and merge the branch.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from gateway.domain.repositories.address import RepositoryAddress, address_of, is_in_repository
from gateway.domain.tasks.spec import Spec

CLAIMS: Final = ("prUrl", "branchName", "commitSha")
_SHA: Final = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?")
_PLAIN: Final = re.compile(r"(?i:https?)://[!-~]+")
"""Printable ASCII only: no spaces, control or look-alike characters."""
_PULL_REQUEST: Final = re.compile(
    r"(?:/-)?/(?:pull|pulls|merge_requests|pull-requests|pullrequest)/[1-9][0-9]{0,9}/?"
)
"""The path of a pull request at GitHub, Gitea, GitLab, Bitbucket and Azure DevOps."""
_DEFAULT_BRANCH: Final = re.compile(r"\Aslipgate/(task_[0-9a-z]+)\Z")
"""The generated branch name; if a branch `slipgate` exists, the sandbox uses `slipgate-…`."""
_BITBUCKET_SERVER: Final = re.compile(r"(?:scm/)?(?P<owner>~?)(?P<project>[^/]+)/(?P<name>[^/]+)")


def foreign_claims(fields: Mapping[str, object], spec: Spec) -> Iterator[tuple[str, str]]:
    """The fields that do not belong to the task, each with the expected value."""
    for name in CLAIMS:
        value = fields.get(name)
        expected = _expected(name, value, spec) if value is not None else None
        if expected is not None:
            yield name, expected


def _expected(name: str, value: object, spec: Spec) -> str | None:
    """The expected value of a field, or None if the value is the task's own."""
    text = value if isinstance(value, str) else ""
    match name:
        case "prUrl":
            is_own = is_pull_request_of(text, spec.repo_url)
            expected = f"a pull request of {spec.repo_url} was expected"
        case "branchName":
            is_own = text in {
                spec.branch_name,
                _DEFAULT_BRANCH.sub(r"slipgate-\1", spec.branch_name),
            }
            expected = f"the task's branch is {spec.branch_name}"
        case _:
            is_own = _SHA.fullmatch(text) is not None
            expected = "40 or 64 hexadecimal digits were expected"
    return None if is_own else expected


def is_pull_request_of(url: str, repo_url: str) -> bool:
    """True for a pull request of this repository; a `file://` repository may have any."""
    if not _PLAIN.fullmatch(url) or {"?", "#", "@"} & set(url):
        return False
    repository = address_of(repo_url)
    if repository is None:
        return _PULL_REQUEST.search(url) is not None
    return any(_is_in(url, repository, path) for path in _pages(repository))


def _is_in(url: str, repository: RepositoryAddress, path: str) -> bool:
    home = f"{'ssh' if repository.is_ssh else 'https'}://{repository.host}/{path}"
    if not is_in_repository(url, home):
        return False
    return _PULL_REQUEST.fullmatch(urlsplit(url).path[len(path) + 1 :]) is not None


def _pages(repository: RepositoryAddress) -> Iterator[str]:
    """The paths of its web pages."""
    yield repository.path
    found = _BITBUCKET_SERVER.fullmatch(repository.path)
    if found is not None:
        kind = "users" if found["owner"] else "projects"
        yield f"{kind}/{found['project']}/repos/{found['name']}"
