"""Valid branch names.

Source: git-check-ref-format(1), the rules of `--branch`. Two rules are added: a maximum length, and
no branch `@`, which git accepts but reads as HEAD.
"""

import re
from functools import lru_cache
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.wire.problem import FieldError

MAX_BYTES: Final = 244
"""GitHub allows 255 bytes with `refs/heads/`, as does a file system for the name of its lock."""

_RULES: Final = (
    (re.compile(r"\A(?!.)", re.DOTALL), "is not empty"),
    (re.compile(r"\A-"), "does not begin with '-'"),
    (re.compile(r"[\x00-\x20\x7f]"), "holds no spaces or control characters"),
    (re.compile(r"[~^:?*\[\\]"), "holds none of ~ ^ : ? * [ \\"),
    (re.compile(r"\.\."), "holds no '..'"),
    (re.compile(r"@\{"), "holds no '@{'"),
    (re.compile(r"\A/|/\Z|//"), "does not begin or end with '/', and holds no '//'"),
    (re.compile(r"(\A|/)\."), "has no part that begins with '.'"),
    (re.compile(r"\.lock(/|\Z)"), "has no part that ends with '.lock'"),
    (re.compile(r"\.\Z"), "does not end with '.'"),
    (re.compile(r"\A(HEAD|@)\Z"), "is not 'HEAD' or '@', which mean a revision"),
    (re.compile(r"[\ud800-\udfff]"), "is valid Unicode"),
)


@lru_cache(maxsize=1024)
def broken_rule(name: str) -> str | None:
    """The rule of git that a branch name breaks, as the end of "a branch name …"."""
    for pattern, rule in _RULES:
        if pattern.search(name):
            return rule
    if len(name.encode()) > MAX_BYTES:
        return f"has at most {MAX_BYTES} bytes"
    return None


def check_branch(name: str, path: str) -> None:
    """Checks a branch name; `path` is its place in the request.

    Raises:
        ApiError: `invalid_request`, naming the rule.
    """
    rule = broken_rule(name)
    if rule is None:
        return
    message = f"A branch name {rule}"
    raise ApiError(
        "invalid_request",
        f"{path}: {message}.",
        hint="The rules are those of `git check-ref-format --branch`.",
        errors=(FieldError(path=path, message=message),),
    )
