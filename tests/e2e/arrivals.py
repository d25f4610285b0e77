"""The receiver's front door: notes when each webhook came, and can hold the answer."""

import time
from collections import defaultdict
from itertools import pairwise

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.e2e.barrier import Barrier

Span = tuple[float, float]
"""From the kill of a gateway until the next one was ready; seconds of a monotonic clock."""


class Arrivals:
    """An ASGI application around the receiver."""

    def __init__(self, app: ASGIApp, at_answer: Barrier) -> None:
        self._app = app
        self._at_answer = at_answer
        self.of: defaultdict[str, list[float]] = defaultdict(list)
        """The times at which each `webhook-id` came."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._at_answer()
            await send(message)

        for name, value in scope.get("headers", ()):
            if name == b"webhook-id":
                self.of[value.decode()].append(time.monotonic())
        await self._app(scope, receive, answer)

    def needless(self, outages: list[Span]) -> list[str]:
        """Webhooks that came again, though no gateway died meanwhile."""
        return [
            webhook_id
            for webhook_id, moments in self.of.items()
            for first, second in pairwise(moments)
            if not any(first <= end and second >= begin for begin, end in outages)
        ]
