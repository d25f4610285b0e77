"""A handler of webhooks: what it refuses is counted by source and code."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.domain.kernel.errors import ApiError
from gateway.web.context import context_of
from gateway.web.http.middleware import Handler
from gateway.web.http.operation import Operation
from gateway.web.http.problems import as_refusal
from gateway.wire.decode import WrongShape


class SourceHandler(Handler):
    """Whoever watches `slipgate_webhooks_refused_total` sees a secret that does not fit, or a clock
    that is wrong, before anybody misses an event."""

    def __init__(
        self,
        source: str,
        handle: Callable[[Request], Awaitable[Response]],
        operation: Operation,
    ) -> None:
        super().__init__(handle, operation)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one webhook."""
        request = Request(scope, receive)
        try:
            response = await self._handle(request)
        except (ApiError, WrongShape) as exc:
            code = as_refusal(exc).code
            context_of(request).metrics.count_refused_webhook(self._source, code)
            raise
        await response(scope, receive, send)
