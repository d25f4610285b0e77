"""Forms of the dashboard: read, and refused where another site or another session has made them."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request

from gateway.domain.kernel.errors import ApiError
from gateway.web.dashboard.session import is_genuine
from gateway.web.http.body import read_bytes
from gateway.web.http.headers import headers_of

LIMIT: Final = 256 * 1024
"""Bytes."""
_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
_SAME_ORIGIN: Final = frozenset({"same-origin", "none"})
Form = Mapping[str, str]
Sent = ImmutableMultiDict[str, str]


async def read_form(request: Request) -> Sent:
    """The fields of a form; of several with one name `getlist` has all, the others the last."""
    raw = await read_bytes(request, limit=LIMIT)
    return Sent(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))


def check_form(request: Request, form: Form, csrf: str) -> None:
    """Refuses a form that was not made for the session of this token, or comes from another site.

    Source: the OWASP cheat sheet on cross-site request forgery (synchronizer token, Fetch
    Metadata).
    """
    check_site(request)
    if not is_genuine(csrf, form.get("csrf", "")):
        raise _foreign_form()


def check_site(request: Request) -> None:
    """Refuses a form that a page of another site has sent."""
    headers = headers_of(request)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if headers.get("sec-fetch-site", "none") not in _SAME_ORIGIN or kind != _MEDIA_TYPE:
        raise _foreign_form()


def _foreign_form() -> ApiError:
    return ApiError(
        "forbidden",
        "The form was not made for this session.",
        hint="Load the page again and send its form.",
    )
