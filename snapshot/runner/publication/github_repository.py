"""How a repository stands with GitHub: where it is now, and whether our branch can go there."""

from typing import Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from ..failure import Failure
from .github_api import GitHubApi, words

T = TypeVar("T")
_REFUSING: Final = {
    "creation": "only some may create such a branch",
    "pull_request": "changes come through a pull request alone",
    "required_signatures": "commits must be signed, and ours are not",
}
"""Rules that refuse the first push of our branch."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """A user or an organisation."""

    login: str


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """What the token's owner may do."""

    push: bool = True


class RepositoryInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What we read of a repository."""

    full_name: str
    owner: Owner
    archived: bool = False
    disabled: bool = False
    permissions: Permissions = Permissions()


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    ruleset_id: int | None = None


class _Ruleset(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    current_user_can_bypass: str = ""


def look(api: GitHubApi, root: str) -> RepositoryInfo | None:
    """The repository behind an address of the API; None: GitHub does not show it to this token.

    Raises:
        Failure: `github_token_refused`, or GitHub cannot be asked.
    """
    answer = api.request("GET", root)
    if answer.status_code == 401:
        message = f"GITHUB_TOKEN is not taken: {words(answer)}. Hand over one that is valid"
        raise Failure("github_token_refused", message)
    return _shape(answer, RepositoryInfo)


def check(api: GitHubApi, root: str, repository: RepositoryInfo, branch: str) -> None:
    """Say before an agent is paid that its branch could not be pushed.

    Raises:
        Failure: `repository_archived`, `no_push_access`, `branch_protected`.
    """
    if repository.archived or repository.disabled:
        state = "archived" if repository.archived else "disabled"
        message = f"{repository.full_name} is {state}: nothing can be pushed. Unarchive it first"
        raise Failure("repository_archived", message)
    if not repository.permissions.push and not api.is_installation:
        message = (
            f"the owner of GITHUB_TOKEN may not push to {repository.full_name}. Hand over a token "
            "with write access to its contents and pull requests"
        )
        raise Failure("no_push_access", message)
    _check_rules(api, root, branch)


def _check_rules(api: GitHubApi, root: str, branch: str) -> None:
    answer = api.request("GET", f"{root}/rules/branches/{quote(branch, safe='')}")
    for rule in _shape(answer, tuple[_Rule, ...]) or ():
        if rule.type not in _REFUSING or rule.ruleset_id is None:
            continue
        ruleset = _shape(api.request("GET", f"{root}/rulesets/{rule.ruleset_id}"), _Ruleset)
        if ruleset is not None and ruleset.current_user_can_bypass == "never":
            message = (
                f"the ruleset {ruleset.name!r} refuses {branch}: {_REFUSING[rule.type]}. Name "
                "another branchName, or let the owner of GITHUB_TOKEN bypass it"
            )
            raise Failure("branch_protected", message)


def _shape(answer: httpx.Response, shape: type[T]) -> T | None:
    """The document of a successful answer; a stand-in or an older server may know none of it."""
    if not answer.is_success:
        return None
    try:
        return msgspec.json.decode(answer.content, type=shape)
    except msgspec.MsgspecError:
        return None
