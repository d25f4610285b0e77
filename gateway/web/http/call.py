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
from gateway.web.http.access import Access, Caller
from gateway.web.http.auth import project_of
from gateway.web.http.body import Nothing
from gateway.web.http.headers import PRINTABLE, headers_of
from gateway.web.http.query import Query, Text
from gateway.wire.message import Change

A = TypeVar("A")
B = TypeVar("B")
V = TypeVar("V")

DRY_RUN: Final = Text(
    name="dryRun",
    known=("true", "false"),
    meaning="`true`: the answer or the refusal of the change, and nothing else.",
)
REASON: Final = Text(name="reason", meaning="Kept in the audit log.")
"""Of a DELETE, whose body a proxy may drop."""
_EMPTY: Final = (Nothing(), Change())
"""Bodies that say nothing."""
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
        """False once the caller's key or token has ended."""
        try:
            await self.admit_again()
        except ApiError:
            return False
        return True

    async def admit_again(self) -> None:
        """Refuses a caller whose key or token has ended while it waited, as it would be now."""
        if self._access.admit is not None:
            await self._access.admit(self.request)

    async def ask(self, command: Command, kind: type[A]) -> A:
        """Submits a command in the name of the caller's key, if there is one, with its reason; or
        tries it dry."""
        if isinstance(self.caller, ApiKey):
            command = replace(command, actor=self.caller.actor)
        if self.reason is not None:
            command = replace(command, stated_reason=self.reason)
        if self.is_dry_run:
            return await self.context.dry_run(command, kind)
        return await self.context.ask(command, kind)

    @property
    def reason(self) -> str | None:
        """The caller's reason for a change."""
        if isinstance(self.body, Change):
            return self.body.reason
        return self._query.get(REASON.name)

    @property
    def is_dry_run(self) -> bool:
        """True if the change is only tried."""
        if isinstance(self.body, Change):
            return self.body.dry_run
        return self._query.get(DRY_RUN.name) == "true"

    def status(self, done: int) -> int:
        """The status of the answer to a change; 200 for a dry run of one that makes or begins
        something."""
        return 200 if self.is_dry_run else done

    def idempotency(self) -> Idempotency | None:
        """The Idempotency-Key of the request, with keyed hashes of its body; a dry run keeps
        nothing."""
        key = self.headers.get("idempotency-key")
        if key is None or self.is_dry_run:
            return None
        if not PRINTABLE.fullmatch(key):
            raise ApiError(
                "invalid_idempotency_key",
                "An Idempotency-Key has 1 to 255 printable ASCII characters.",
            )
        content = _canonical(None if self.body in _EMPTY else self.body)
        keyring = self.context.keyring
        return Idempotency(
            key=(self.key.project, f"{self.request.method} {self.request.url.path}", key),
            digests={
                key_id: hmac.digest(keyring.purpose(key_id, "idempotency"), content, hashlib.sha256)
                for key_id in keyring.ids
            },
            current=keyring.current,
        )
