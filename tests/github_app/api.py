"""The routes of GitHub's API that give installation tokens, and their refusals.

Sources: docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App", "REST API endpoints
for GitHub Apps".
"""

import base64
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

APP_ID = "123456"
GRANTED = {"contents": "write", "pull_requests": "write", "metadata": "read", "checks": "read"}


@cache
def private_key() -> RSAPrivateKey:
    """One for all tests: to make a key takes a tenth of a second."""
    return generate_private_key(65537, 2048)


def pem(key: RSAPrivateKey | None = None) -> str:
    """The key as GitHub hands it out."""
    form = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return (key or private_key()).private_bytes(*form).decode()


@dataclass(kw_only=True)
class AppGitHub:
    """A GitHub with one App that is installed on some repositories."""

    clock: Callable[[], float]
    installed: dict[str, int] = field(default_factory=lambda: {"acme/widgets": 7})
    """Repository → number of the repository."""
    renamed: dict[str, int] = field(default_factory=dict)
    """Former name → number of the repository."""
    granted: dict[str, str] = field(default_factory=lambda: dict(GRANTED))
    suspended_at: str | None = None
    faults: deque[Response] = field(default_factory=deque)
    """Sent in place of the next responses."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the requests of tokens."""

    @property
    def app(self) -> Starlette:
        tokens = "/app/installations/{id:int}/access_tokens"
        return Starlette(
            routes=[
                Route("/app", self._app),
                Route("/repos/{owner}/{name}/installation", self._installation),
                Route("/repositories/{number:int}/installation", self._by_number),
                Route(tokens, self._token, methods=["POST"]),
            ]
        )

    def _refusal(self, request: Request) -> Response | None:
        if self.faults:
            return self.faults.popleft()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        mistake = "Bad credentials" if scheme != "Bearer" else self._mistake(token)
        return _error(401, mistake) if mistake else None

    def _mistake(self, token: str) -> str:
        head, claims, signature = token.split(".")
        try:
            public = private_key().public_key()
            public.verify(_bytes(signature), f"{head}.{claims}".encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return "A JSON web token could not be decoded"
        if json.loads(_bytes(head)) != {"alg": "RS256", "typ": "JWT"}:
            return "A JSON web token could not be decoded"
        return self._untimely(json.loads(_bytes(claims)))

    def _untimely(self, claims: Mapping[str, Any]) -> str:
        if claims["iss"] != APP_ID:
            return "Integration not found"
        if not isinstance(claims["iat"], int) or claims["iat"] > self.clock():
            return "'Issued at' claim ('iat') must be an Integer, and not in the future"
        if not isinstance(claims["exp"], int) or claims["exp"] <= self.clock():
            return "'Expiration time' claim ('exp') must be a numeric value in the future"
        if claims["exp"] - self.clock() > 600:
            return "'Expiration time' claim ('exp') is too far in the future"
        return ""

    async def _app(self, request: Request) -> Response:
        known = {"name": "Widget Bot", "permissions": self.granted}
        known["installations_count"] = len(self.installed)  # type: ignore[assignment]
        return self._refusal(request) or JSONResponse(known)

    async def _installation(self, request: Request) -> Response:
        name = "{owner}/{name}".format(**request.path_params).lower()
        refusal = self._refusal(request)
        if refusal is None and (number := self.renamed.get(name)):
            return Response(
                status_code=301,
                headers={"location": f"{request.base_url}repositories/{number}/installation"},
            )
        return refusal or self._shown(name in self.installed)

    async def _by_number(self, request: Request) -> Response:
        is_known = request.path_params["number"] in self.installed.values()
        return self._refusal(request) or self._shown(is_known)

    def _shown(self, is_known: bool) -> Response:
        if not is_known:
            return _error(404, "Not Found")
        shown = {"id": 42, "permissions": self.granted, "suspended_at": self.suspended_at}
        return JSONResponse(shown)

    async def _token(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        wanted = await request.json()
        names = {name.partition("/")[2] for name in self.installed}
        known = {*names, *self.installed.values()}
        if not {*wanted.get("repositories", ()), *wanted.get("repository_ids", ())} <= known:
            return _error(422, "There is at least one repository that does not exist")
        if any(self.granted.get(name) != level for name, level in wanted["permissions"].items()):
            return _error(422, "The permissions requested are not granted to this installation.")
        self.asked.append(wanted)
        ends = datetime.fromtimestamp(self.clock(), UTC) + timedelta(hours=1)
        body = {"token": self.token(len(self.asked)), "expires_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}
        return JSONResponse(body, status_code=201)

    @staticmethod
    def token(number: int) -> str:
        """The token of the request of this number, from 1 on."""
        return f"ghs_{number:036d}"


def _error(status: int, message: str) -> Response:
    return JSONResponse({"message": message, "documentation_url": "…"}, status_code=status)


def _bytes(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
