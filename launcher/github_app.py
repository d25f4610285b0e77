"""Installation tokens of a GitHub App: for one repository, with the least permissions, for an hour.

Sources: docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App", "REST API endpoints
for GitHub Apps".
"""

import base64
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.wire.times import milliseconds
from launcher.client import Clock
from launcher.github import decoded, is_rate_limited, message_of, open_github
from launcher.providers.protocol import ProviderError
from launcher.providers.retry_after import seconds_to_wait
from launcher.settings import GitHubAppSettings, Settings

CALL_SECONDS: Final = 10.0
SPARE_SECONDS: Final = 600.0
"""A kept token that ends sooner is not handed out: a task begins with it."""
FRESH_SECONDS: Final = 60.0
"""A token that was made so lately is handed out also to who wants a new one: an agent that asks
again and again must not use up the App's rate limit, which all repositories of an owner share."""
JWT_BACK_SECONDS: Final = 60
JWT_AHEAD_SECONDS: Final = 540
"""GitHub takes no more than 600, by its own clock."""
NOT_INSTALLED: Final = "github_app_not_installed"
NEEDED: Final = {
    "contents": "write",
    "pull_requests": "write",
    "metadata": "read",
}
"""Also comments on pull requests are written with `pull_requests`."""
CHECKS: Final = ("checks", "read")
WORKFLOWS: Final = ("workflows", "write")
_ADDRESS: Final = re.compile(
    r"(?:https://(?:[^@/]*@)?|ssh://(?:[^@/]*@)?|[^@/:]*@)(?P<host>[^/:@]+)(?::\d*)?[:/]/*"
    r"(?P<owner>[A-Za-z0-9][A-Za-z0-9_-]{0,99})/(?P<name>(?!\.)[A-Za-z0-9._-]{1,100}?)(?:\.git)?/*"
)
_MOVED: Final = re.compile(r"/repositories/(\d{1,19})/installation")
_SITES: Final[Mapping[str, str]] = {"www.github.com": "github.com", "ssh.github.com": "github.com"}


@dataclass(frozen=True, kw_only=True, slots=True)
class InstallationToken:
    """A token, and the time of its end."""

    value: str = field(repr=False)
    expires_at: int
    """Milliseconds since the epoch."""
    made_at: float
    """Seconds since the epoch."""

    def is_usable(self, now: float, *, is_new: bool) -> bool:
        """True if it lasts for a task, or was made just now."""
        is_fresh = 0 <= now - self.made_at < FRESH_SECONDS
        return is_fresh if is_new else self.expires_at / 1000 - now > SPARE_SECONDS


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The App's installation at the owner of a repository."""

    id: int = 0
    permissions: dict[str, str] = msgspec.field(default_factory=dict)
    suspended_at: str | None = None


class AppView(msgspec.Struct, frozen=True, kw_only=True):
    """The App as GitHub shows it to itself."""

    name: str = ""
    permissions: dict[str, str] = msgspec.field(default_factory=dict)
    installations_count: int = 0


class _AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    token: str = ""
    expires_at: datetime | None = None


class _Target(NamedTuple):
    installation: Installation
    scope: dict[str, object]
    """The repository as the request of a token names it."""


@dataclass(slots=True)
class GitHubApp:
    """Every call raises `ProviderError`: `github_app_not_installed`, `github_app_refused`, or
    `github_app_unavailable`, which is retryable."""

    http: httpx.AsyncClient
    settings: GitHubAppSettings
    _: KW_ONLY
    clock: Clock = time.time
    """Seconds since the epoch."""
    _tokens: dict[str, InstallationToken] = field(default_factory=dict, init=False, repr=False)

    def is_for(self, repo_url: str) -> bool:
        """True if a repository is on the GitHub whose App this is."""
        return self._slug(repo_url) is not None

    async def token(self, repo_url: str, *, is_new: bool = False) -> InstallationToken:
        """A token for a repository that the App is for; with `is_new` one that was made within the
        last minute."""
        slug = self._slug(repo_url)
        if slug is None:
            raise ProviderError(NOT_INSTALLED, "GitHub App: the repository is on another host")
        key, now = slug.lower(), self.clock()
        kept = self._tokens.get(key)
        if kept and kept.is_usable(now, is_new=is_new):
            return kept
        token = await self._mint(slug)
        living = {k: v for k, v in self._tokens.items() if v.expires_at / 1000 > now}
        self._tokens = {**living, key: token}
        return token

    async def app(self) -> AppView:
        return decoded(_checked(await self._send("GET", "/app"), "the App"), AppView)

    def _slug(self, repo_url: str) -> str | None:
        """`owner/name`."""
        found = _ADDRESS.fullmatch(repo_url)
        host = found["host"].lower().removesuffix(".") if found else ""
        if found is None or _SITES.get(host, host) != git_host(self.settings.api_url):
            return None
        return f"{found['owner']}/{found['name']}"

    async def _mint(self, slug: str) -> InstallationToken:
        installation, scope = await self._find(slug)
        body = {**scope, "permissions": self._permissions(slug, installation)}
        path = f"/app/installations/{installation.id}/access_tokens"
        response = _checked(await self._send("POST", path, body), slug)
        made = decoded(response, _AccessToken)
        if not made.token or made.expires_at is None or made.expires_at.tzinfo is None:
            raise _unavailable("the answer holds no token")
        return InstallationToken(
            value=made.token, expires_at=milliseconds(made.expires_at), made_at=self.clock()
        )

    async def _find(self, slug: str) -> _Target:
        scope: dict[str, object] = {"repositories": [slug.partition("/")[2]]}
        response = await self._send("GET", f"/repos/{slug}/installation")
        moved = _MOVED.search(response.headers.get("location", ""))
        if response.is_redirect and moved:  # it was renamed: the same repository by its number
            scope = {"repository_ids": [int(moved[1])]}
            response = await self._send("GET", f"/repositories/{moved[1]}/installation")
        installation = decoded(_checked(response, slug), Installation)
        if installation.suspended_at:
            raise _refused(f"the installation for {slug} is suspended")
        return _Target(installation, scope)

    def _permissions(self, slug: str, installation: Installation) -> dict[str, str]:
        granted = installation.permissions
        lacking = [name for name, level in NEEDED.items() if not covers(granted.get(name), level)]
        if lacking:
            wanted = ", ".join(f"{name}: {NEEDED[name]}" for name in lacking)
            raise _refused(f"the installation for {slug} has not been granted {wanted}")
        optional = (CHECKS, *([WORKFLOWS] if self.settings.may_change_workflows else []))
        more = {name: level for name, level in optional if covers(granted.get(name), level)}
        return {**NEEDED, **more}

    async def _send(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {self._jwt()}"}
        content = None if body is None else msgspec.json.encode(body)
        try:
            return await self.http.request(
                method, path, headers=headers, content=content, timeout=CALL_SECONDS
            )
        except httpx.RequestError as error:
            raise _unavailable(f"no answer ({type(error).__name__})") from error

    def _jwt(self) -> str:
        now = int(self.clock())
        claims = {
            "iat": now - JWT_BACK_SECONDS,
            "exp": now + JWT_AHEAD_SECONDS,
            "iss": self.settings.app_id,
        }
        signed = f"{_segment({'alg': 'RS256', 'typ': 'JWT'})}.{_segment(claims)}"
        signature = self.settings.private_key.sign(signed.encode(), PKCS1v15(), SHA256())
        return f"{signed}.{_base64url(signature)}"


@asynccontextmanager
async def open_github_app(settings: Settings) -> AsyncIterator[GitHubApp | None]:
    """The App of the settings, if there is one."""
    if settings.github_app is None:
        yield None
        return
    async with open_github(settings.github_app.api_url, egress=settings.egress) as http:
        yield GitHubApp(http, settings.github_app)


def git_host(api_url: str) -> str:
    """The host of the repositories behind an API address: `github.com` of `api.github.com`."""
    host = (urlsplit(api_url).hostname or "").removesuffix(".")
    is_apart = host == "api.github.com" or (host.startswith("api.") and host.endswith(".ghe.com"))
    return host.removeprefix("api.") if is_apart else host


def _checked(response: httpx.Response, subject: str) -> httpx.Response:
    status = response.status_code
    message = message_of(response) or f"HTTP {status}"
    if response.is_success:
        return response
    if is_rate_limited(response) or status == httpx.codes.REQUEST_TIMEOUT or status >= 500:
        raise _unavailable(message, retry_after=seconds_to_wait(response.headers))
    if status == httpx.codes.UNAUTHORIZED:
        advice = "Look at SLIPGATE_GITHUB_APP_ID, the private key, and this machine's clock"
        raise _refused(f"{message}. {advice}")
    if status == httpx.codes.NOT_FOUND:
        raise ProviderError(NOT_INSTALLED, f"GitHub App: it is not installed on {subject}")
    raise _refused(f"{message} ({subject})")


def _refused(message: str) -> ProviderError:
    return ProviderError("github_app_refused", f"GitHub App: {message}")


def _unavailable(message: str, *, retry_after: float = 0.0) -> ProviderError:
    return ProviderError(
        "github_app_unavailable",
        f"GitHub App: {message}",
        retryable=True,
        retry_after=retry_after,
    )


def covers(granted: str | None, level: str) -> bool:
    """True if a granted level of a permission is enough."""
    return granted in {"write", "admin"} or granted == level


def _segment(content: Mapping[str, object]) -> str:
    return _base64url(msgspec.json.encode(content))


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
