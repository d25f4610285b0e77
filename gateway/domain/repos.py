"""Which repositories a task may name, and in which form.

A URL of git can run commands (`ext::`), become an option of ssh (a host that begins with `-`) or
carry a password; an allow list is worth nothing if `..` leads out of it.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final, NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from gateway.domain.errors import Refused
from gateway.wire.problem import FieldError

FORMS: Final = "Give https://host/path, ssh://git@host/path or git@host:path."
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SCP: Final = re.compile(r"(?P<user>[^@/:]*)@(?P<host>[^/:@]+):(?P<path>.*)", re.DOTALL)
_HIDDEN: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff\\]")


class Wrong(Exception):
    """A rule that a URL breaks, as a sentence without its full stop."""


def check_repository(
    url: str, path: str, *, allow_file: bool = False, allowed: Sequence[str] = ()
) -> None:
    """Let a repository pass; `path` says where in the request it stood.

    `allowed` are glob patterns of whole URLs (`*` also matches `/`); none allow every repository.

    Raises:
        Refused: `invalid_request`, naming the rule, or `repo_not_allowed`.
    """
    try:
        _check_form(url, allow_file=allow_file)
    except Wrong as wrong:
        _refuse(path, str(wrong))
    if allowed and not any(_matches(url, pattern) for pattern in allowed):
        raise Refused(
            "repo_not_allowed",
            f"{path}: this installation does not work on that repository.",
            hint="Ask its operator to add the repository to SLIPGATE_ALLOWED_REPOS.",
            errors=(FieldError(path=path, message="Repository not allowed"),),
        )


# The same few repositories come again and again.
@lru_cache(maxsize=1024)
def _check_form(url: str, *, allow_file: bool) -> None:
    if url.startswith("-"):
        raise Wrong("A repository URL does not begin with '-'")
    if _HIDDEN.search(url):
        raise Wrong("A repository URL holds no spaces, control characters or backslashes")
    if re.match(r"[A-Za-z0-9+.-]*::", url):
        raise Wrong("Remote helpers such as ext:: are not taken")
    if "?" in url or "#" in url:
        raise Wrong("A repository URL has no query and no fragment")
    scp = _SCP.fullmatch(url)
    if "://" in url:
        _check_url(_split(url), allow_file=allow_file)
    elif scp is not None:
        _check_user(scp["user"])
        _check_host(scp["host"])
        _check_path(scp["path"])
    else:
        raise Wrong("A repository is given by its URL, not by a path")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as exc:
        raise Wrong(f"A repository URL must be well-formed: {exc}") from exc
    return parts


def _check_url(parts: SplitResult, *, allow_file: bool) -> None:
    if parts.scheme == "file":
        _check_file(parts, allow_file=allow_file)
    elif parts.scheme == "https":
        if "@" in parts.netloc:
            raise Wrong("A repository URL holds no user name, password or token")
        _check_host(_host(parts.netloc))
    elif parts.scheme == "ssh":
        user, at, host = parts.netloc.rpartition("@")
        if at:
            _check_user(user)
        _check_host(_host(host))
    else:
        raise Wrong("A repository URL is https or ssh")
    _check_path(parts.path.removeprefix("/"))


def _check_file(parts: SplitResult, *, allow_file: bool) -> None:
    if not allow_file:
        raise Wrong("Repositories of the gateway's own machine (file://) are not allowed here")
    if parts.netloc:
        raise Wrong("A file:// URL has three slashes and an absolute path")


def _host(netloc: str) -> str:
    return re.sub(r":[0-9]*\Z", "", netloc)


def _check_host(host: str) -> None:
    if not _HOST.fullmatch(host):
        raise Wrong("A repository URL needs a plain host name")


def _check_user(user: str) -> None:
    if ":" in user:
        raise Wrong("A repository URL holds no password or token")
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


def _matches(url: str, pattern: str) -> bool:
    return fnmatchcase(_plain(url), _plain(pattern))


def _plain(url: str) -> str:
    """Scheme and host in lower case, without `.git` or a slash at the end: one repository."""
    head, slashes, rest = url.partition("://")
    host, separator, path = rest.partition("/") if slashes else head.partition(":")
    begin = f"{head.lower()}://" if slashes else ""
    return begin + host.lower() + separator + path.removesuffix("/").removesuffix(".git")


def _refuse(path: str, rule: str) -> NoReturn:
    raise Refused(
        "invalid_request",
        f"{path}: {rule}.",
        hint=FORMS,
        errors=(FieldError(path=path, message=rule),),
    )
