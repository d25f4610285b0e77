"""The operations of the HTTP API, called in the name of a session.

A page shows what the API answers and changes what the API changes: one set of rules, and every
action of the dashboard can be repeated with the command line or curl.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.kernel.errors import ApiError
from gateway.domain.operations.api_key import ApiKey
from gateway.web.context import Context
from gateway.web.dashboard.session import SESSION
from gateway.web.http.body import INLINE, in_thread
from gateway.web.http.call import Call
from gateway.web.http.operation import Handled
from gateway.web.http.query import check_known
from gateway.wire.decode import decode

Values = Mapping[str, str]
Json = dict[str, Any]
"""An answer, as its view names the fields."""
NONE: Final[Values] = {}


class Api:
    """Calls operations as the holder of a key."""

    def __init__(self, request: Request, context: Context, key: ApiKey) -> None:
        self._request = request
        self._context = context
        self._key = key

    def may(self, handled: Handled) -> bool:
        """True if the key has a scope for the operation."""
        return self._key.scope in handled.operation.access.scopes

    def check(self, handled: Handled) -> None:
        """Refuses a key without a scope for the operation: `forbidden`."""
        if not self.may(handled):
            raise ApiError(
                "forbidden",
                f"A key of scope '{self._key.scope}' may not do this.",
                hint="Log in with a key of scope ops.",
            )

    async def read(self, handled: Handled, query: Values = NONE, **path: str) -> Json:
        """The JSON answer of a read, decoded.

        Raises:
            ApiError: as the operation; `forbidden` without its scope.
        """
        response = await self.open(handled, query, **path)
        return msgspec.json.decode(bytes(response.body), type=Json)

    async def open(self, handled: Handled, query: Values = NONE, **path: str) -> Response:
        """The answer of a read as it is: a text, or a stream."""
        return await self._send(handled, "GET", query, path, body=None)

    async def change(
        self, handled: Handled, body: object = None, *, name: str = "", **path: str
    ) -> Json:
        """The answer of a change, decoded; the same `name` again (an Idempotency-Key) has no second
        effect.

        Raises:
            ApiError: as the operation.
            WrongShape: the body is not of the operation's type, naming each path.
        """
        decoded = await self._decoded(handled, body)
        response = await self._send(handled, "POST", NONE, path, body=decoded, name=name)
        return msgspec.json.decode(bytes(response.body), type=Json)

    async def _decoded(self, handled: Handled, body: object) -> object:
        wanted = handled.operation.body
        if wanted is None:
            return None
        raw = msgspec.json.encode({} if body is None else body)
        work = partial(decode, wanted.kind, raw)
        return await in_thread(self._context.thread, work) if len(raw) > INLINE else work()

    async def _send(
        self,
        handled: Handled,
        method: str,
        query: Values,
        path: Mapping[str, str],
        *,
        body: object,
        name: str = "",
    ) -> Response:
        operation = handled.operation
        self.check(handled)
        given = QueryParams(urlencode({key: text for key, text in query.items() if text}))
        check_known(given, operation.query)
        call = Call[Any](
            self._as(method, given, path, name),
            self._context,
            SESSION,
            caller=self._key,
            query={parameter.name: parameter.of(given) for parameter in operation.query},
            body=body,
        )
        return await handled.handle(call)

    def _as(self, method: str, query: QueryParams, path: Values, name: str) -> Request:
        """The request of the page as one to the operation."""
        scope = self._request.scope
        kept = {
            key: text
            for key, text in scope["state"]["headers"].items()
            if key in {"accept", "last-event-id", "cookie", "host"}
        }
        headers = kept | ({"idempotency-key": name} if name else {})
        return Request(
            {
                **scope,
                "method": method,
                "query_string": str(query).encode(),
                "path_params": dict(path),
                "state": {**scope["state"], "headers": headers},
            },
            self._request.receive,
        )
