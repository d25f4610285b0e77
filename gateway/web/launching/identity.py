"""`GET /v1/launcher`: who this gateway is, for those who set up launchers and look why not."""

from importlib.metadata import version
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.web.context import context_of
from gateway.web.http.auth import LAUNCHER, authorize
from gateway.web.http.replies import reply
from gateway.wire.launcher import GatewayView

VERSION: Final = version("slipgate")


async def show(request: Request) -> Response:
    """Changes nothing, and counts as no call of a launcher."""
    context = context_of(request)
    await authorize(request, context.keys, LAUNCHER)
    return reply(
        GatewayView(
            instance_id=context.instance_id,
            version=VERSION,
            public_url=context.public_url,
            snapshot=context.snapshot,
        )
    )
