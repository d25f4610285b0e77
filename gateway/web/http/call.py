"""One request as its handler gets it: authorized, its parameters and its body decoded."""

import hashlib
import hmac
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
from msgspec.structs import replace
from starlette.requests import Request

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.read_set import Command, Idempotency
from gateway.domain.operations.api_key import ApiKey
from gateway.web.context import Context
from gateway.web.http.access import Access, Caller, StreamReader
from gateway.web.http.auth import project_of
from gateway.web.http.body import Nothing
from gateway.web.http.headers import PRINTABLE, headers_of
from gateway.web.http.query import Query

A = TypeVar("A")
B = TypeVar("B")
V = TypeVar("V")

_canonical: Final = msgspec.json.Encoder(order="sorted").encode


class Call(Generic[B]):
    """A request to an operation whose body is a `B`."""

    __slots__ = ("_access", "_query", "body", "caller", "context", "headers", "path", "request")

    def __init__(
        self,
        request: Request,
        context: Context,
        access: Access,
        *,
        caller: Caller,
        query: dict[str, Any],
        body: B,
    ) -> None:
        self.request = request
        self.context = context
        self.caller = caller
        self.body = body
        self.path: dict[str, str] = request.path_params
        self.headers = headers_of(request)
        self._access = access
        self._query = query

    def __getitem__(self, parameter: Query[V]) -> V:
        """The value of a query parameter that the operation names."""
        return cast("V", self._query[parameter.name])

    @property
    def key(self) -> ApiKey:
        """The caller's API key, on a route that takes nothing else."""
        if not isinstance(self.caller, ApiKey):
            raise TypeError("this route is open without an API key")
        return self.caller

    @property
    def project(self) -> str | None:
        """The project the caller's key is bound to; None: every project."""
        return project_of(self.key)

    async def is_still_admitted(self) -> bool:
        """False once the caller's key has been revoked; a stream token ends by itself."""
        if isinstance(self.caller, StreamReader) or self._access.admit is None:
            return True
        try:
            await self._access.admit(self.request)
        except ApiError:
            return False
        return True

    async def ask(self, command: Command, kind: type[A]) -> A:
        """Submits a command in the name of the caller's key, if there is one."""
        if isinstance(self.caller, ApiKey):
            command = replace(command, actor=self.caller.actor)
        return await self.context.ask(command, kind)

    def idempotency(self) -> Idempotency | None:
        """The Idempotency-Key of the request, with keyed hashes of its body."""
        key = self.headers.get("idempotency-key")
        if key is None:
            return None
        if not PRINTABLE.fullmatch(key):
            raise ApiError(
                "invalid_idempotency_key",
                "An Idempotency-Key has 1 to 255 printable ASCII characters.",
            )
        content = _canonical(None if isinstance(self.body, Nothing) else self.body)
        keyring = self.context.keyring
        return Idempotency(
            key=(self.key.project, f"{self.request.method} {self.request.url.path}", key),
            digests={
                key_id: hmac.digest(keyring.purpose(key_id, "idempotency"), content, hashlib.sha256)
                for key_id in keyring.ids
            },
            current=keyring.current,
        )
