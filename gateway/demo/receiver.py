"""A receiver of slipgate's webhooks, as in a frontend: verifies, deduplicates and keeps them."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.wire.signing import MalformedHeaders, SignedHeaders

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A verified webhook; duplicates are not kept."""

    id: str
    type: str
    timestamp: int
    """Unix seconds of the delivery that was verified."""
    body: bytes


class _Typed(msgspec.Struct, frozen=True):
    type: str = ""


class Receiver:
    """Takes webhooks at `/hook`, with any query; shows them at `GET /received`.

    `secret` returns the current key; while it is None, all webhooks are answered 401.
    """

    def __init__(self, *, secret: Callable[[], bytes | None], now: Callable[[], float]) -> None:
        self._secret = secret
        self._now = now
        self._changed = asyncio.Condition()
        self._kept: dict[str, Received] = {}
        self.duplicates = 0
        self.refused = 0
        self.app = Starlette(
            routes=[
                Route("/hook", self._take, methods=["POST"]),
                Route("/received", self._show, methods=["GET"]),
            ]
        )

    @property
    def received(self) -> tuple[Received, ...]:
        """The verified webhooks in the order of their first arrival."""
        return tuple(self._kept.values())

    async def wait_for(self, is_it: Callable[[Received], bool], *, seconds: float) -> Received:
        """Waits for the first webhook that matches.

        Raises:
            TimeoutError: it did not come in time.
        """
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: any(map(is_it, self.received)))
        return next(filter(is_it, self.received))

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > MAX_BODY:
            return Response(status_code=413)
        headers = self._verified(request, body)
        if headers is None:
            self.refused += 1
            return Response("The signature is missing, wrong or too old.", 401)
        if headers.id in self._kept:
            self.duplicates += 1
            return Response(status_code=204)
        await self._keep(headers, body)
        return Response(status_code=204)

    async def _show(self, _: Request) -> Response:
        shown = [
            {"id": one.id, "type": one.type, "timestamp": one.timestamp} for one in self.received
        ]
        return Response(msgspec.json.encode({"data": shown}), media_type="application/json")

    def _verified(self, request: Request, body: bytes) -> SignedHeaders | None:
        secret = self._secret()
        try:
            headers = SignedHeaders.parse(request.headers)
        except MalformedHeaders:
            return None
        is_genuine = secret is not None and headers.is_signed_by(secret, body)
        return headers if is_genuine and headers.is_timely(self._now()) else None

    async def _keep(self, headers: SignedHeaders, body: bytes) -> None:
        async with self._changed:
            self._kept[headers.id] = Received(
                id=headers.id, type=_type(body), timestamp=headers.timestamp, body=body
            )
            self._changed.notify_all()


def _type(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Typed).type
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
