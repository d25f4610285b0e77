"""The allowed repositories of a task, and the allowed form of their URLs.

A git URL can run commands (`ext::`), become an option of ssh (a host that begins with `-`), contain
a password, or leave an allow list through `..`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from gateway.domain.kernel.errors import ApiError
from gateway.domain.repositories.address import SCP, is_named_by
from gateway.domain.repositories.hosts import canonical_host, without_port
from gateway.domain.repositories.page_url import is_page, repository_of
from gateway.wire.problem import FieldError

FORMS: Final = "Give https://host/path, ssh://git@host/path or git@host:path."
TOKENS: Final = "A token is handed over as GITHUB_TOKEN, in the task's env or by the launcher."
_HOST: Final = re.compile(r"[^\W_]([\w.-]*[^\W_])?\.?|\[[0-9A-Fa-f:.]+\]")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_HIDDEN: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff\\]")


class Wrong(Exception):
    """The rule that a URL breaks, as a sentence without full stop; `hint` says what is right."""

    def __init__(self, rule: str, hint: str = FORMS) -> None:
        super().__init__(rule)
        self.hint = hint


def check_repository(
    url: str, path: str, *, allow_file: bool = False, allowed: Sequence[str] = ()
) -> None:
    """Checks a repository URL; `path` is its place in the request.

    `allowed` are glob patterns of whole URLs (see `is_named_by`); empty allows every repository.

    Raises:
        ApiError: `invalid_request`, naming the rule, or `repo_not_allowed`.
    """
    try:
        _check_form(url, allow_file=allow_file)
    except Wrong as wrong:
        _refuse(path, wrong)
    if allowed and not any(is_named_by(pattern, url) for pattern in allowed):
        raise ApiError(
            "repo_not_allowed",
            f"{path}: this installation does not work on that repository.",
            hint="Ask its operator to add the repository to SLIPGATE_ALLOWED_REPOS.",
            errors=(FieldError(path=path, message="Repository not allowed"),),
        )


# Most requests name the same few repositories.
@lru_cache(maxsize=1024)
def _check_form(url: str, *, allow_file: bool) -> None:
    if url.startswith("-"):
        raise Wrong("A repository URL does not begin with '-'")
    if _HIDDEN.search(url):
        raise Wrong("A repository URL holds no spaces, control characters or backslashes")
    if re.match(r"[A-Za-z0-9+.-]*::", url):
        raise Wrong("Remote helpers such as ext:: are not taken")
    if "?" in url or "#" in url:
        raise Wrong("A repository URL has no query and no fragment", _hint(url))
    scp = SCP.fullmatch(url)
    if "://" in url:
        _check_url(url, _split(url), allow_file=allow_file)
    elif scp is not None:
        _check_user(scp["user"])
        _check_host(scp["host"])
        _check_path(scp["path"])
        _check_whole(f"ssh://{scp['host']}/{scp['path'].lstrip('/')}")
    else:
        raise Wrong("A repository is given by its URL, not by a path", _hint(url))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as exc:
        raise Wrong(f"A repository URL must be well-formed: {exc}") from exc
    return parts


def _check_url(url: str, parts: SplitResult, *, allow_file: bool) -> None:
    if parts.scheme == "file":
        _check_file(parts, allow_file=allow_file)
    elif parts.scheme == "https":
        if "@" in parts.netloc:
            rule = "A repository URL holds no user name, password or token"
            raise Wrong(rule, f"{_hint(url)} {TOKENS}")
        _check_host(without_port(parts.netloc))
    elif parts.scheme == "ssh":
        user, at, host = parts.netloc.rpartition("@")
        if at:
            _check_user(user)
        _check_host(without_port(host))
    else:
        raise Wrong("A repository URL is https or ssh", _hint(url))
    _check_path(parts.path.removeprefix("/"))
    if parts.scheme != "file":
        _check_whole(url)


def _check_file(parts: SplitResult, *, allow_file: bool) -> None:
    if not allow_file:
        raise Wrong(
            "Repositories of the gateway's own machine (file://) are not allowed here",
            "They are with SLIPGATE_ALLOW_FILE_REPOS=true on the gateway.",
        )
    if parts.netloc:
        raise Wrong("A file:// URL has three slashes and an absolute path")


def _check_whole(url: str) -> None:
    if is_page(_split(url)):
        raise Wrong("A repository URL names a repository, not one of its pages", _hint(url))


def _check_host(host: str) -> None:
    if not _HOST.fullmatch(host):
        raise Wrong("A repository URL needs a plain host name")
    try:
        canonical_host(host)
    except ValueError as exc:
        raise Wrong("A repository URL needs a host name that can exist") from exc


def _check_user(user: str) -> None:
    if ":" in user:
        raise Wrong("A repository URL holds no password or token", f"{FORMS} {TOKENS}")
    if not _USER.fullmatch(user):
        raise Wrong("The user name of a repository URL is plain and does not begin with '-'")


def _check_path(path: str) -> None:
    decoded = unquote(path)
    if path.startswith("-"):
        raise Wrong("The path of a repository does not begin with '-'")
    if not path.strip("/"):
        raise Wrong("A repository URL names a repository, not only a host")
    if decoded.count("/") != path.count("/") or _HIDDEN.search(decoded.replace(" ", "")):
        raise Wrong("The path of a repository hides no slashes or control characters")
    if {".", ".."} & set(decoded.split("/")):
        raise Wrong("The path of a repository has no '.' or '..' parts")


def _hint(url: str) -> str:
    right = repository_of(url)
    return f"Give {right}" + "." * (not right.endswith(".")) if right else FORMS


def _refuse(path: str, wrong: Wrong) -> NoReturn:
    raise ApiError(
        "invalid_request",
        f"{path}: {wrong}.",
        hint=wrong.hint,
        errors=(FieldError(path=path, message=str(wrong)),),
    )
