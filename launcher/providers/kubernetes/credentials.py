"""Bearer tokens for the API server, which change: of a file, or of an exec plugin.

Sources: kubernetes.io, "Configure Service Accounts for Pods" (the kubelet replaces the token), and
"Authenticating", "client-go credential plugins".
"""

import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import msgspec

from gateway.wire.times import parse_rfc3339
from launcher.client import Clock
from launcher.providers.kubernetes.errors import unusable
from launcher.providers.kubernetes.kubeconfig import ExecPlugin
from launcher.providers.program import NotStarted, Program

EXEC_SECONDS: Final = 60.0
EARLY_SECONDS: Final = 30.0
"""A token is replaced so long before its end."""
API_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
UNAUTHORIZED: Final = 401
PASSED_ON: Final = (
    *("PATH", "HOME", "USER", "LANG", "KUBECONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
)
PASSED_ON_PREFIXES: Final = ("AWS_", "AZURE_", "AAD_", "CLOUDSDK_", "GOOGLE_", "KUBE")
"""Variables of exec plugins: of the clouds' own command lines."""


class TokenSource(Protocol):
    """A source of bearer tokens; raises `ProviderError`."""

    async def token(self, *, is_refused: bool) -> str:
        """`is_refused`: the API server has just refused the last one; empty: there is no token."""


@dataclass(frozen=True, slots=True)
class FixedToken:
    """A token that does not change; empty where a client certificate is enough."""

    value: str = field(repr=False)

    async def token(self, *, is_refused: bool) -> str:  # noqa: ARG002 - there is no other
        return self.value


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A token that somebody else replaces in time: it is read for every request."""

    path: Path

    async def token(self, *, is_refused: bool) -> str:  # noqa: ARG002 - it is always the newest
        try:
            return self.path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise unusable(f"the token in {self.path} cannot be read") from error


class _ExecStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    token: str = ""
    expiration_timestamp: str = ""


class _ExecCredential(msgspec.Struct, frozen=True, kw_only=True):
    status: _ExecStatus


@dataclass(slots=True)
class ExecToken:
    """The token that an exec plugin prints, kept until it ends."""

    plugin: ExecPlugin
    program: Program
    _: KW_ONLY
    clock: Clock = time.time
    _value: str = field(default="", init=False, repr=False)
    _expires_at: float | None = field(default=None, init=False)

    async def token(self, *, is_refused: bool) -> str:
        is_old = self._expires_at is not None and self.clock() > self._expires_at - EARLY_SECONDS
        if not self._value or is_old or is_refused:
            status = await self._run()
            expires_at = parse_rfc3339(status.expiration_timestamp)
            self._value = status.token
            self._expires_at = expires_at.timestamp() if expires_at else None
        return self._value

    async def _run(self) -> _ExecStatus:
        command = self.plugin.command
        try:
            ran = await self.program.run(*(self.plugin.args or ()), seconds=EXEC_SECONDS)
        except NotStarted as error:
            raise unusable(f"{error}, which the kubeconfig names for its tokens") from error
        if ran.code != 0:
            # What it printed may hold a secret.
            how = "took too long" if ran.code is None else f"ended with {ran.code}"
            raise unusable(f"{command}, which the kubeconfig names for its tokens, {how}")
        try:
            status = msgspec.json.decode(ran.out, type=_ExecCredential).status
        except msgspec.MsgspecError as error:
            raise unusable(f"{command} printed no ExecCredential") from error
        if not status.token:
            raise unusable(f"{command} gives no token; client certificates are not taken from it")
        return status


def open_plugin(
    plugin: ExecPlugin,
    environ: Mapping[str, str],
    *,
    kubeconfig_folder: Path,
    cluster: Mapping[str, Any],
    folder: Path,
) -> ExecToken:
    """`folder`: where it runs; `cluster`: told to a plugin that asks for it."""
    if plugin.api_version not in API_VERSIONS:
        raise unusable(f"{plugin.command} speaks {plugin.api_version}, not {API_VERSIONS[0]}")
    info: dict[str, Any] = {
        "apiVersion": plugin.api_version,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            **({"cluster": dict(cluster)} if plugin.provide_cluster_info else {}),
        },
    }
    passed_on = {
        name: value
        for name, value in environ.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    }
    passed_on |= {each.name: each.value for each in plugin.env or ()}
    passed_on["KUBERNETES_EXEC_INFO"] = msgspec.json.encode(info).decode()
    has_folder = "/" in plugin.command
    path = str(kubeconfig_folder / plugin.command) if has_folder else plugin.command
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return ExecToken(plugin, Program(path, environ=passed_on, folder=folder))


@dataclass(slots=True)
class BearerAuth(httpx.Auth):
    """Sends the token of the moment, and another one if it is refused."""

    source: TokenSource

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers.update(await self.headers())
        response = yield request
        if response.status_code == UNAUTHORIZED and "authorization" in request.headers:
            before = request.headers["authorization"]
            request.headers.update(await self.headers(is_refused=True))
            if request.headers["authorization"] != before:
                yield request

    async def headers(self, *, is_refused: bool = False) -> dict[str, str]:
        token = await self.source.token(is_refused=is_refused)
        return {"authorization": f"Bearer {token}"} if token else {}
