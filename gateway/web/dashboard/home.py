"""`/`: leads a browser to the dashboard; programs get the error of an unknown route."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from gateway.web.dashboard.page import see_other


class Home:
    """The root of the gateway."""

    label = "dashboard"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "text/html" not in Request(scope).headers.get("accept", ""):
            raise HTTPException(404)
        await see_other("/dashboard")(scope, receive, send)
