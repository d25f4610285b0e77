"""Opens the draft pull request through GitHub's REST API."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from .configuration import GITHUB_API_URL
from .cutting import first_of
from .secret import Secret
from .trouble import Trouble

TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
TRIES: Final = 4
LONGEST_WAIT_SECONDS: Final = 60.0
T = TypeVar("T")


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


def git_host(api_url: str) -> str:
    """The host of the repositories behind an API address: the token is for it alone."""
    if api_url == GITHUB_API_URL:
        return "github.com"
    return urlsplit(api_url).netloc


class GitHub:
    """One repository's pull requests."""

    def __init__(
        self,
        *,
        api_url: str,
        slug: tuple[str, str],
        token: Secret,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._owner, name = slug
        self._sleep = sleep
        self._pulls = f"{api_url}/repos/{self._owner}/{name}/pulls"
        headers = {
            "accept": "application/vnd.github+json",
            "authorization": f"Bearer {token.value}",
            "user-agent": "slipgate-snapshot",
            "x-github-api-version": "2022-11-28",
        }
        self._client = httpx.Client(timeout=TIMEOUT, headers=headers, follow_redirects=False)

    def open(self, proposal: Proposal) -> PullRequest:
        """Open it as a draft, plainly where drafts are not offered, or find the open one.

        Raises:
            Trouble: `pull_request_failed`.
        """
        response = self._create(proposal, is_draft=True)
        if response.status_code == 422 and "draft" in response.text.lower():
            response = self._create(proposal, is_draft=False)
        if response.status_code == 422 and (found := self.find(proposal.branch)):
            return found
        return _decoded(response, PullRequest)

    def find(self, branch: str) -> PullRequest | None:
        """The open pull request of this branch.

        Raises:
            Trouble: `pull_request_failed`.
        """
        query = {"head": f"{self._owner}:{branch}", "state": "open"}
        response = self._request("GET", params=query)
        found = _decoded(response, tuple[PullRequest, ...])
        return found[0] if found else None

    def _create(self, proposal: Proposal, *, is_draft: bool) -> httpx.Response:
        return self._request(
            "POST",
            json={
                "title": proposal.title,
                "head": proposal.branch,
                "base": proposal.base,
                "body": proposal.body,
                "draft": is_draft,
            },
        )

    def _request(
        self,
        method: str,
        *,
        params: dict[str, str] | None = None,
        json: dict[str, str | bool] | None = None,
    ) -> httpx.Response:
        """Try a few times while the trouble is GitHub's; a lost POST is found by `find`."""
        wait = 1.0
        for _ in range(TRIES - 1):
            try:
                response = self._client.request(method, self._pulls, params=params, json=json)
            except httpx.TransportError:
                response = None
            if response is not None and not _is_passing(response):
                return response
            self._sleep(_patience(response, wait))
            wait *= 2
        try:
            return self._client.request(method, self._pulls, params=params, json=json)
        except httpx.TransportError as exc:
            message = f"GitHub cannot be reached: {exc}"
            raise Trouble("pull_request_failed", message, retryable=True) from exc


def _is_passing(response: httpx.Response) -> bool:
    is_limited = response.status_code == 403 and "retry-after" in response.headers
    return is_limited or response.status_code == 429 or response.status_code >= 500


def _patience(response: httpx.Response | None, wait: float) -> float:
    asked = response.headers.get("retry-after", "") if response is not None else ""
    return min(float(asked) if asked.isdigit() else wait, LONGEST_WAIT_SECONDS)


def _decoded(response: httpx.Response, shape: type[T]) -> T:
    if not response.is_success:
        message = f"GitHub answered {response.status_code}: {first_of(response.text, 500)}"
        raise Trouble("pull_request_failed", message, retryable=_is_passing(response))
    try:
        return msgspec.json.decode(response.content, type=shape)
    except msgspec.MsgspecError as exc:
        message = f"GitHub's answer is not what its API promises: {exc}"
        raise Trouble("pull_request_failed", message) from exc
