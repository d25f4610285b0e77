"""One repository on GitHub: its rules before the push, and its pull request after it."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from ..configuration import Configuration
from ..failure import Failure
from ..github_token import GitHubToken
from ..network.client import PLAIN, Network
from ..network.hosts import git_host, is_private, is_same_host
from ..repository.access import Access
from ..repository.address import Repository
from ..stop import Stop
from ..time_budget import Budget
from .branch_rules import OurPush, Rule, refusal
from .github_api import (
    CALL_SECONDS,
    LONGEST_WAIT_SECONDS,
    GitHubApi,
    Send,
    decoded,
    error_text,
)

CHECK_SECONDS: Final = 30.0
"""The longest wait to learn more of the repository: the agent needs the time."""
LAG_SECONDS: Final = (2.0, 5.0, 10.0)
"""Pauses before a pull request is opened again."""
_UNKNOWN_HEAD: Final = re.compile(
    r'"field":\s*"head",\s*"code":\s*"invalid"|"code":\s*"invalid",\s*"field":\s*"head"'
    r"|sha can't be blank|not all refs are readable",
    re.IGNORECASE,
)
T = TypeVar("T")
_WRITING: Final = frozenset({"admin", "maintain", "write"})


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    html_url: str
    draft: bool = False

    @property
    def number(self) -> str:
        return self.html_url.rpartition("/")[2]


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    branch: str
    base: str
    title: str
    body: str
    is_draft: bool = True


class _Owner(msgspec.Struct, frozen=True):
    login: str


class _Permissions(msgspec.Struct, frozen=True):
    push: bool = True


class _RepositoryInfo(msgspec.Struct, frozen=True, kw_only=True):
    full_name: str
    owner: _Owner
    archived: bool = False
    disabled: bool = False
    permissions: _Permissions = _Permissions()


class _Permission(msgspec.Struct, frozen=True):
    permission: str


class _Ruleset(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    current_user_can_bypass: str = ""


class GitHub:
    """A repository that was renamed or transferred is found where it is now."""

    def __init__(
        self,
        *,
        api_url: str,
        slug: tuple[str, str],
        token: GitHubToken,
        network: Network = PLAIN,
        sleep: Callable[[float], None] = time.sleep,
        seconds_left: Callable[[], float] = lambda: 2 * LONGEST_WAIT_SECONDS,
        whole: Callable[[Send], httpx.Response] = lambda send: send(),
    ) -> None:
        api = partial(
            GitHubApi, url=api_url, token=token, network=network, sleep=sleep, whole=whole
        )
        self._api = api(seconds_left=seconds_left)
        self._check_api = api(seconds_left=lambda: CHECK_SECONDS)
        self.sleep: Final = sleep
        self._owner = slug[0]
        self._name = "/".join(slug)
        self._root = f"{api_url}/repos/{self._name}"
        self._info: _RepositoryInfo | None = None

    @property
    def moved_to(self) -> str | None:
        """Owner and name of a repository that the task calls by others."""
        if self._info is None or self._info.full_name.lower() == self._name.lower():
            return None
        return self._info.full_name

    def check(self, push: OurPush) -> None:
        """Check before an agent is paid that its branch can be pushed.

        Raises:
            Failure: `github_token_refused`, `repository_archived`, `no_push_access` or
                `branch_protected`; none if GitHub cannot be asked now.
        """
        try:
            self._load_info()
            if self._info is not None:
                self._check_access(self._info)
                self._check_rules(push)
        except Failure as failure:
            if not failure.retryable:
                raise

    def open(self, proposal: Proposal) -> PullRequest:
        """Open it, a draft plainly where drafts are not offered, or find the open one.

        Raises `pull_request_failed`, `github_unreachable`, `github_rate_limited`.
        """
        response = self._create(proposal, is_draft=proposal.is_draft)
        for pause in LAG_SECONDS:
            if not _lags(response):
                break
            self.sleep(pause)
            response = self._create(proposal, is_draft=proposal.is_draft)
        if response.status_code == 422 and "draft" in response.text.lower():
            response = self._create(proposal, is_draft=False)
        if response.status_code == 422 and (found := self.find(proposal.branch)):
            return found
        return self._renamed(decoded(response, PullRequest))

    def find(self, branch: str) -> PullRequest | None:
        """The open pull request of this branch; raises as `open` does."""
        owner = self._info.owner.login if self._info else self._owner
        query = {"head": f"{owner}:{branch}", "state": "open"}
        response = self._api.request("GET", f"{self._root}/pulls", params=query)
        found = decoded(response, tuple[PullRequest, ...])
        return self._renamed(found[0]) if found else None

    def comment(self, number: str, text: str) -> None:
        """Post a comment on a pull request; it may be there even if this raises, as `open` does."""
        url = f"{self._root}/issues/{number}/comments"
        decoded(self._api.request("POST", url, json={"body": text}, most=1), dict)

    def get(self, path: str, shape: type[T], **params: str) -> T | None:
        """A document of the repository; None if GitHub does not show it now."""
        try:
            answer = self._check_api.request("GET", f"{self._root}/{path}", params=params)
        except Failure:
            return None
        return _decoded_if_known(answer, shape)

    def may_write(self, login: str) -> bool | None:
        """True if this user may write to the repository; None if GitHub does not say."""
        found = self.get(f"collaborators/{quote(login, safe='')}/permission", _Permission)
        return None if found is None else found.permission in _WRITING

    def _create(self, proposal: Proposal, *, is_draft: bool) -> httpx.Response:
        wanted: dict[str, str | bool] = {
            "title": proposal.title,
            "head": proposal.branch,
            "base": proposal.base,
            "body": proposal.body,
            "draft": is_draft,
        }
        pulls = f"{self._root}/pulls"
        response = self._api.request("POST", pulls, json=wanted)
        url = str(response.request.url).partition("?")[0]
        if self._info is None and url != pulls and url.endswith("/pulls"):
            # A redirect: the repository has moved.
            self._root = url.removesuffix("/pulls")
            with suppress(Failure):
                self._load_info()
        return response

    def _load_info(self) -> None:
        """Read the repository, if GitHub shows it to this token."""
        answer = self._check_api.request("GET", self._root)
        if answer.status_code == 401:
            message = (
                f"GITHUB_TOKEN is not taken: {error_text(answer)}. Hand over one that is valid"
            )
            raise Failure("github_token_refused", message)
        self._info = _decoded_if_known(answer, _RepositoryInfo)

    def _check_access(self, info: _RepositoryInfo) -> None:
        if info.archived or info.disabled:
            state = "archived" if info.archived else "disabled"
            message = f"{info.full_name} is {state}: nothing can be pushed. Unarchive it first"
            raise Failure("repository_archived", message)
        if not info.permissions.push and not self._api.is_installation:
            message = (
                f"the owner of GITHUB_TOKEN may not push to {info.full_name}. Hand over a token "
                "with write access to its contents and pull requests"
            )
            raise Failure("no_push_access", message)

    def _check_rules(self, push: OurPush) -> None:
        rules = self._check_api.request(
            "GET", f"{self._root}/rules/branches/{quote(push.branch, safe='')}"
        )
        for rule in _decoded_if_known(rules, tuple[Rule, ...]) or ():
            reason = refusal(rule, push)
            if reason is None or rule.ruleset_id is None:
                continue
            url = f"{self._root}/rulesets/{rule.ruleset_id}"
            ruleset = _decoded_if_known(self._check_api.request("GET", url), _Ruleset)
            if ruleset is not None and ruleset.current_user_can_bypass == "never":
                message = (
                    f"the ruleset {ruleset.name!r} refuses {push.branch}: {reason}. Name another "
                    "branchName, or let the owner of GITHUB_TOKEN bypass it"
                )
                raise Failure("branch_protected", message)

    def _renamed(self, opened: PullRequest) -> PullRequest:
        """The pull request under the repository's name in the task: GitHub redirects from there,
        and the gateway takes none of another repository."""
        name = self.moved_to
        parts = urlsplit(opened.html_url)
        if name is None or not is_same_host(opened.html_url, f"https://{git_host(self._api.url)}"):
            return opened
        path = parts.path.removeprefix(f"/{name}/")
        if path == parts.path:
            return opened
        html_url = parts._replace(path=f"/{self._name}/{path}").geturl()
        return PullRequest(html_url=html_url, draft=opened.draft)


def _lags(response: httpx.Response) -> bool:
    """True if GitHub does not know the branch yet that was just pushed."""
    return response.status_code == 422 and _UNKNOWN_HEAD.search(response.text) is not None


def _decoded_if_known(answer: httpx.Response, shape: type[T]) -> T | None:
    """A stand-in or an older server may not know the document."""
    if not answer.is_success:
        return None
    try:
        return msgspec.json.decode(answer.content, type=shape)
    except msgspec.MsgspecError:
        return None


def connect(
    configuration: Configuration,
    access: Access,
    repository: Repository,
    *,
    network: Network,
    stop: Stop,
    budget: Budget,
) -> tuple[GitHub | None, str]:
    """The client for the task's repository, or None and the reason why there is none."""
    token, slug = configuration.github_token, repository.slug
    is_stand_in = repository.scheme == "file" and configuration.github_api_is_given
    if not is_private(configuration.github_api_url):
        return None, "GITHUB_API_URL is not https"
    if token is None:
        return None, "GITHUB_TOKEN is not set"
    if slug is None or not (is_stand_in or access.has_token_for(repository)):
        return None, "the repository is not on the GitHub that GITHUB_TOKEN is for"
    github = GitHub(
        api_url=configuration.github_api_url,
        slug=slug,
        token=token,
        network=network,
        sleep=stop.sleep,
        seconds_left=lambda: budget.seconds,
        whole=partial(stop.call, seconds=CALL_SECONDS),
    )
    return github, ""
