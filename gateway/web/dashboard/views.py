"""Saved views of the page Tasks: named filters, which a cookie of the browser keeps. They work
without JavaScript, and the gateway stores nothing of them."""

import base64
import binascii
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.web.dashboard.bulk import filters_of
from gateway.web.dashboard.login import is_https
from gateway.web.dashboard.page import Visit, action, see_other
from gateway.web.http.fields import wrong_field

COOKIE: Final = "slipgate_views"
LIFETIME: Final = 365 * 86_400
"""Seconds."""
MOST_BYTES: Final = 3_000
"""Of the cookie: browsers keep 4,096, with its name and attributes."""
MOST_NAME: Final = 40
"""Characters."""
Views = dict[str, str]
"""Queries by the name of their view."""


def views_of(request: Request) -> Views:
    """The saved views; none from a cookie that cannot be read."""
    text = request.cookies.get(COOKIE, "")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(raw, type=Views)
    except (binascii.Error, ValueError):
        return {}


def filters_in(query: str) -> dict[str, str]:
    """The filters of a saved query: whatever else a cookie may say is left out."""
    return filters_of(dict(parse_qsl(query)))


@action
async def save(visit: Visit) -> Response:
    """Saves the filters of the form under a name; the same name again replaces them."""
    name, wanted = visit.form.get("name", "").strip(), filters_of(visit.form)
    if not 0 < len(name) <= MOST_NAME or not name.isprintable():
        raise wrong_field("$.name", f"Expected a name of at most {MOST_NAME} characters")
    return _kept(visit, views_of(visit.request) | {name: urlencode(wanted)}, wanted)


@action
async def forget(visit: Visit) -> Response:
    views = views_of(visit.request)
    wanted = filters_in(views.pop(visit.form.get("name", ""), ""))
    return _kept(visit, views, wanted)


def _kept(visit: Visit, views: Views, wanted: Mapping[str, str]) -> Response:
    text = base64.urlsafe_b64encode(msgspec.json.encode(views)).decode().rstrip("=")
    if len(text) > MOST_BYTES:
        raise wrong_field("$.name", "Expected fewer views: remove one that you do not need")
    response = see_other(f"/dashboard/tasks?{urlencode(wanted)}")
    response.set_cookie(
        COOKIE,
        text,
        max_age=LIFETIME,
        path="/dashboard",
        httponly=True,
        samesite="strict",
        secure=is_https(visit.request, visit.context),
    )
    return response
