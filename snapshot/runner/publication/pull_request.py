"""Opens the draft pull request through GitHub's REST API."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from ..failure import Failure
from ..network.client import PLAIN, Network
from ..network.hosts import git_host, is_same_host
from ..secret import Secret
from . import github_repository
from .github_api import LONGEST_WAIT_SECONDS, GitHubApi, decoded
from .github_repository import RepositoryInfo

LOOK_SECONDS: Final = 30.0
"""The most that is waited to know more of the repository; the agent needs the time."""


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What we read of GitHub's answer."""

    html_url: str
    draft: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """What the pull request says."""

    branch: str
    base: str
    title: str
    body: str


class GitHub:
    """One repository's pull requests; a renamed or transferred one is found where it is now."""

    def __init__(
        self,
        *,
        api_url: str,
        slug: tuple[str, str],
        token: Secret,
        network: Network = PLAIN,
        sleep: Callable[[float], None] = time.sleep,
        seconds_left: Callable[[], float] = lambda: 2 * LONGEST_WAIT_SECONDS,
    ) -> None:
        api = partial(GitHubApi, url=api_url, token=token, network=network, sleep=sleep)
        self._api = api(seconds_left=seconds_left)
        self._hasty_api = api(seconds_left=lambda: LOOK_SECONDS)
        self._slug = slug
        self._root = f"{api_url}/repos/{slug[0]}/{slug[1]}"
        self._repository: RepositoryInfo | None = None

    @property
    def moved_to(self) -> str | None:
        """Owner and name of a repository that has others than the task says."""
        if self._repository is None or self._repository.full_name.lower() == self._name.lower():
            return None
        return self._repository.full_name

    def check(self, branch: str) -> None:
        """Say before an agent is paid that its branch could not be pushed.

        Raises:
            Failure: `github_token_refused`, `repository_archived`, `no_push_access` or
                `branch_protected`; none if GitHub cannot be asked now.
        """
        try:
            self._look()
            if self._repository is not None:
                github_repository.check(self._hasty_api, self._root, self._repository, branch)
        except Failure as failure:
            if not failure.retryable:
                raise

    def open(self, proposal: Proposal) -> PullRequest:
        """Open it as a draft, plainly where drafts are not offered, or find the open one.

        Raises:
            Failure: `pull_request_failed`, `github_unreachable`, `github_rate_limited`.
        """
        response = self._create(proposal, is_draft=True)
        if response.status_code == 422 and "draft" in response.text.lower():
            response = self._create(proposal, is_draft=False)
        if response.status_code == 422 and (found := self.find(proposal.branch)):
            return found
        return self._named(decoded(response, PullRequest))

    def find(self, branch: str) -> PullRequest | None:
        """The open pull request of this branch.

        Raises:
            Failure: as `open` does.
        """
        owner = self._repository.owner.login if self._repository else self._slug[0]
        query = {"head": f"{owner}:{branch}", "state": "open"}
        response = self._api.request("GET", self._pulls, params=query)
        found = decoded(response, tuple[PullRequest, ...])
        return self._named(found[0]) if found else None

    @property
    def _name(self) -> str:
        return "/".join(self._slug)

    @property
    def _pulls(self) -> str:
        return f"{self._root}/pulls"

    def _create(self, proposal: Proposal, *, is_draft: bool) -> httpx.Response:
        wanted: dict[str, str | bool] = {
            "title": proposal.title,
            "head": proposal.branch,
            "base": proposal.base,
            "body": proposal.body,
            "draft": is_draft,
        }
        response = self._api.request("POST", self._pulls, json=wanted)
        self._follow(response)
        return response

    def _follow(self, response: httpx.Response) -> None:
        """Learn from a redirect where the repository is now."""
        url = str(response.request.url).partition("?")[0]
        if self._repository is None and url != self._pulls and url.endswith("/pulls"):
            self._root = url.removesuffix("/pulls")
            with suppress(Failure):
                self._look()

    def _look(self) -> None:
        self._repository = github_repository.look(self._hasty_api, self._root)

    def _named(self, opened: PullRequest) -> PullRequest:
        """The pull request under the name the task knows: GitHub leads on from there, and the
        gateway takes none of another repository."""
        name = self.moved_to
        parts = urlsplit(opened.html_url)
        if name is None or not is_same_host(opened.html_url, f"https://{git_host(self._api.url)}"):
            return opened
        path = parts.path.removeprefix(f"/{name}/")
        if path == parts.path:
            return opened
        html_url = parts._replace(path=f"/{self._name}/{path}").geturl()
        return PullRequest(html_url=html_url, draft=opened.draft)
