"""A route's handler as an ASGI application: what its operation says is enforced here."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.domain.kernel.errors import ApiError
from gateway.web.context import Context, context_of
from gateway.web.http.access import TOKEN
from gateway.web.http.body import read_as, read_bytes
from gateway.web.http.call import Call
from gateway.web.http.operation import Body, Handled
from gateway.web.http.problems import to_api_error
from gateway.web.http.query import check_known, wrong_parameter
from gateway.wire.decode import WrongShape

# CORS for reads with a stream token: any origin, no cookies. Source: the Fetch standard.
_EXPOSED: Final = (
    b"X-Request-Id, Retry-After, Slipgate-Patch-Attempt, Slipgate-Patch-Base, "
    b"Slipgate-Patch-Partial"
)
_CROSS_ORIGIN: Final = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", _EXPOSED),
    (b"referrer-policy", b"no-referrer"),  # the address holds the token
]
_PREFLIGHT: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "*",  # which means all but Authorization: no key in a browser
    "Access-Control-Max-Age": "7200",
}


class Handler:
    """Decodes the request for the handler; Starlette would wrap a plain function in two layers of
    error handling that `Application` does once for all."""

    def __init__(self, handled: Handled, label: str) -> None:
        self.operation = handled.operation
        self.handle = handled.handle
        self.label = label

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, context = Request(scope, receive), context_of(scope)
        if self.operation.access.takes_token:
            if scope["method"] == "OPTIONS":
                await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
                return
            if TOKEN.name in request.query_params:
                scope["state"]["added_headers"] = _CROSS_ORIGIN
        try:
            response = await self.handle(await self._call(request, context))
        except (ApiError, WrongShape) as exc:
            if self.operation.source:
                code = to_api_error(exc).code
                context.metrics.count_refused_webhook(self.operation.source, code)
            raise
        await response(scope, receive, send)

    async def _call(self, request: Request, context: Context) -> Call[Any]:
        operation, access = self.operation, self.operation.access
        caller = await access.admit(request) if access.admit else None
        query: dict[str, Any] = {}
        if operation.query or access.takes_token:
            given = request.query_params
            # Agents in old snapshots may send more than we know.
            if access.admit:
                check_known(given, (*operation.query, *((TOKEN,) if access.takes_token else ())))
            query = {parameter.name: parameter.of(given) for parameter in operation.query}
        elif operation.body and b"dryRun=" in request.scope["query_string"]:
            # It would be ignored, and the change made.
            raise wrong_parameter("dryRun", "Expected it in the body, where it is known")
        body = await _read(request, operation.body, context) if operation.body else None
        return Call(request, context, access, caller=caller, query=query, body=body)


async def _read(request: Request, body: Body, context: Context) -> object:
    if body.is_raw:
        return await read_bytes(request, limit=body.limit)
    return await read_as(
        body.kind, request, context.thread, limit=body.limit, is_required=body.is_required
    )
