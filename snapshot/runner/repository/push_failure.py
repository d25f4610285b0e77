"""The failure of a refused push: a stable code and the remedy, with the remote's own words.

Sources: docs.github.com on GH001 to GH013 and push protection, docs.gitlab.com on push rules, and
git's own send-pack.
"""

import re
from typing import Final

from ..failure import Failure
from .git import GitFailed

_OURS: Final = re.compile(
    r"stale info|!\s+\[rejected\]|cannot lock ref .*(?:but expected|reference already exists)"
)
"""The branch is not where we saw it, by our own git or by that of the remote."""


def _signs(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_KINDS: Final = (
    (
        "secret_in_push",
        _signs(
            *("GH009", "push protection", "secret scanning", "pre-receive secret"),
            r"contains? (?:a |the following )?secrets?",
        ),
        "the remote found a secret in the change",
    ),
    (
        "workflow_scope_missing",
        _signs("without `?workflows?`? (?:scope|permission)"),
        "GITHUB_TOKEN may not change workflows: hand over one with the scope `workflow`",
    ),
    (
        "branch_in_the_way",
        _signs("cannot lock ref", "directory file conflict", "refname conflict"),
        "another branch's name is in the way of this one: name another branchName",
    ),
    (
        "push_too_large",
        _signs(
            *("GH001", "exceeds GitHub's file size limit", "larger than the maximum"),
            *("maximum allowed size", "pack exceeds", r"HTTP(?: code =)? 413"),
        ),
        "the remote takes no change of that size",
    ),
    (
        "repository_archived",
        _signs("archived so it is read-only", "repository (?:is|was|has been) archived"),
        "the repository is archived",
    ),
    (
        "push_protected",
        _signs(
            *("GH006", "GH013", "protected branch", "protected ref", "rule violations"),
            *("push rule", "not allowed to push code to"),
        ),
        "a rule of the repository refuses the branch",
    ),
    (
        "no_push_access",
        _signs(
            *(r"permission to .+ denied", "permission denied", "access denied"),
            *("write access to repository not granted", "insufficient permission"),
            *("read[- ]only", "not allowed to (?:push|upload)", "repository not found"),
            r"returned error: 40[34]",
        ),
        "GITHUB_TOKEN may not push to the repository",
    ),
    (
        "git_token_refused",
        _signs(
            *("authentication failed", "could not read username", "terminal prompts disabled"),
            *("returned error: 401", "bad credentials", "invalid credentials"),
        ),
        "the remote does not take GITHUB_TOKEN, or there is none for its host",
    ),
    (
        "push_refused",
        _signs(r"\[remote rejected\]", "hook declined", "shallow update not allowed"),
        "the remote refuses the push",
    ),
)
"""Code, signs in the output of git and of hosts, meaning; the first match counts."""
_TRANSIENT: Final = _signs(
    *("could not resolve", "timed out", "early eof", "unexpected (?:disconnect|eof)"),
    *(r"connection (?:to \S+ )?(?:reset|refused|closed)", "(?:couldn't|failed to) connect"),
    *("no route to host", "network is (?:unreachable|down)", "empty reply"),
    *("gnutls_handshake", "non-properly terminated", "ssl_error_syscall", "http2 framing"),
    *(r"returned error: (?:408|429|5\d\d)", "rpc failed; curl (?!22)", "not closed cleanly"),
)
"""Signs of a fault of the network, in the words of git, curl, ssh and the libraries of TLS."""
_UNAVAILABLE: Final = re.compile(
    r"\[remote rejected\] .*\((?:internal (?:server )?error|failed to update ref|.*\.lock')",
    re.IGNORECASE,
)
"""Refusals of a remote that is unwell or busy, and not against the change."""


def push_failure(exc: GitFailed, branch: str) -> Failure:
    if _OURS.search(exc.stderr):
        return Failure("branch_moved", f"somebody else wrote to {branch} meanwhile", retryable=True)
    if _UNAVAILABLE.search(exc.stderr):
        return Failure("push_failed", exc.message, retryable=True)
    for code, signs, meaning in _KINDS:
        if signs.search(exc.stderr):
            return Failure(code, f"{meaning}. It said: {exc.stderr}")
    return Failure("push_failed", exc.message, retryable=is_passing(exc))


def is_passing(exc: GitFailed) -> bool:
    """True if another try may succeed."""
    return _TRANSIENT.search(exc.stderr) is not None
