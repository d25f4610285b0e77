"""The rules of a repository that refuse the push of our branch, as far as they can be known before.

Source: docs.github.com/rest/repos/rules, "Get rules for a branch".
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

SIGNATURES: Final = "required_signatures"
_REFUSING: Final = {
    "pull_request": "changes come through a pull request alone",
    "merge_queue": "changes come through a merge queue alone",
    SIGNATURES: "commits must be signed, and SLIPGATE_SIGNING_KEY is not set",
}


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    ruleset_id: int | None = None
    parameters: Mapping[str, object] | None = None


class OurPush(msgspec.Struct, frozen=True, kw_only=True):
    branch: str
    email: str
    """Of author and committer."""
    is_signed: bool = False
    is_there: bool = False
    """The remote has the branch already."""


def refusal(rule: Rule, push: OurPush) -> str | None:
    """The reason for which the rule refuses the push; None if it takes it, or nobody can tell."""
    parameters = rule.parameters or {}
    match rule.type:
        case "creation" if not push.is_there:
            return "only some may create such a branch"
        case "update" if push.is_there:
            return "only some may change such a branch"
        case "required_status_checks" if (
            push.is_there or parameters.get("do_not_enforce_on_create") is False
        ):
            return "checks must have passed before the push"
        case "branch_name_pattern" if _breaks(parameters, push.branch):
            return f"its name breaks a pattern ({_shown(parameters)})"
        case "commit_author_email_pattern" | "committer_email_pattern" if _breaks(
            parameters, push.email
        ):
            return f"GIT_AUTHOR_EMAIL breaks a pattern ({_shown(parameters)})"
        case _ if rule.type == SIGNATURES and push.is_signed:
            return None
    return _REFUSING.get(rule.type)


_TESTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": str.__contains__,
    "regex": lambda text, pattern: re.search(pattern, text) is not None,
}


def _breaks(parameters: Mapping[str, object], text: str) -> bool:
    """True if the text breaks a rule about a pattern that can be read here."""
    test, pattern = _TESTS.get(str(parameters.get("operator"))), parameters.get("pattern")
    if test is None or not isinstance(pattern, str):
        return False
    try:
        return test(text, pattern) is bool(parameters.get("negate"))
    except re.error:
        return False


def _shown(parameters: Mapping[str, object]) -> str:
    verb = str(parameters["operator"]).replace("_", " ")
    return f"{'not ' if parameters.get('negate') else ''}{verb} {parameters['pattern']!r}"
