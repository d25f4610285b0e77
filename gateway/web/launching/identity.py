"""`GET /v1/launcher`: the identity of this gateway, for whoever sets up launchers."""

from importlib.metadata import version
from typing import Final

from starlette.responses import Response

from gateway.web.convert import convert
from gateway.web.http.access import LAUNCHER
from gateway.web.http.call import Call
from gateway.web.http.operation import Operation, answer
from gateway.web.http.replies import reply
from gateway.wire.launcher import GatewayView

VERSION: Final = version("slipgate")


@Operation(
    id="showGateway",
    tag="Launchers",
    summary="Who this gateway is",
    description="For whoever sets up a launcher: it changes nothing, and is no call of a launcher.",
    access=LAUNCHER,
    answers=(answer(GatewayView, "What launchers have to know of it."),),
)
async def show(call: Call[None]) -> Response:
    return reply(convert(GatewayView, call.context, version=VERSION))
