"""Headers and cookie of the portal, where pages of other origins may show it in an iframe."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from gateway.web.context import Context
from gateway.web.dashboard.login import is_https
from gateway.web.dashboard.page import HEADERS
from gateway.web.portal.session import COOKIE
from gateway.wire.environment import is_loopback

PATH: Final = "/portal"
_POLICY: Final = "Content-Security-Policy"


@lru_cache(maxsize=8)
def headers_for(origins: tuple[str, ...]) -> Mapping[str, str]:
    """The headers of every page; pages of these origins alone may frame it."""
    if not origins:
        return HEADERS
    # X-Frame-Options knows no origins; every browser with `frame-ancestors` goes by that.
    kept = {name: text for name, text in HEADERS.items() if name != "X-Frame-Options"}
    framed = f"frame-ancestors {' '.join(origins)}"
    return kept | {_POLICY: HEADERS[_POLICY].replace("frame-ancestors 'none'", framed)}


def keep_session(
    response: Response, request: Request, context: Context, text: str, seconds: int
) -> None:
    """Sets the cookie of a session; 0 seconds end it.

    In a frame of another site a browser sends only cookies that are `SameSite=None` and `Secure`,
    and most keep only those that are `Partitioned` by that site (CHIPS). A form is told from one of
    another site by its token and by Fetch Metadata.
    """
    is_secure = is_https(request, context)
    is_framed = bool(context.portal_origins) and (is_secure or is_loopback(str(request.url)))
    # Lax, because the link stands on a page of the application, which is another site.
    same_site: Literal["none", "lax"] = "none" if is_framed else "lax"
    response.set_cookie(
        COOKIE,
        text,
        max_age=seconds,
        path=PATH,
        httponly=True,
        samesite=same_site,
        secure=is_secure or is_framed,
    )
    if is_framed:  # Starlette writes it from Python 3.14 on
        name, cookie = response.raw_headers[-1]
        response.raw_headers[-1] = (name, cookie + b"; Partitioned")
