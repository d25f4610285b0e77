"""`/portal`: the endpoints of a customer, and the event types that it can choose."""

from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.responses import Response

from gateway.domain.kernel.errors import ApiError
from gateway.web.dashboard.fields import number, utc
from gateway.web.deliveries import deliveries, endpoint_secrets, endpoints, event_types, replays
from gateway.web.http.problems import to_api_error
from gateway.web.portal.page import Visit, action, html, page
from gateway.wire.decode import WrongShape

RECENT: Final = "20"
ALL: Final = ["*"]
MISTAKES: Final = {
    "$.url": "Give the whole address of your server on the public internet, with https:// before "
    "it.",
    "$.eventTypes": "Choose among the events that are listed, 50 of them at most.",
    "$.description": "Give a shorter description.",
    "too_many_endpoints": "You have as many endpoints as there can be: delete one first.",
}
"""The sentence about a refused form, by the beginning of the field, or by the code."""


@page
async def index(visit: Visit) -> Response:
    return await _listed(visit)


@page
async def show(visit: Visit) -> Response:
    return await _shown(visit)


@action
async def create(visit: Visit) -> Response:
    """A new endpoint, with its secret: the answer to the form is the only page that shows it."""
    try:
        made = await visit.api.create(visit.form, name=visit.form.get("once", ""))
    except (ApiError, WrongShape) as exc:
        return await _listed(visit, _mistake(visit, exc))
    return html(visit, "secret.html", endpoint_id=made["id"], secret=made["secret"])


@action
async def update(visit: Visit) -> str | Response:
    name = visit.path["endpoint_id"]
    try:
        await visit.api.update(visit.form, name)
    except (ApiError, WrongShape) as exc:
        return await _shown(visit, mistake=_mistake(visit, exc))
    return _at(name, "changed")


@action
async def delete(visit: Visit) -> str:
    await visit.api.change(endpoints.delete, endpoint_id=visit.path["endpoint_id"])
    return "/portal?done=deleted"


@action
async def enable(visit: Visit) -> str:
    name = visit.path["endpoint_id"]
    await visit.api.change(endpoints.enable, endpoint_id=name)
    return _at(name, "enabled")


@action
async def disable(visit: Visit) -> str:
    name = visit.path["endpoint_id"]
    await visit.api.change(endpoints.disable, endpoint_id=name)
    return _at(name, "disabled")


@action
async def test(visit: Visit) -> Response:
    name = visit.path["endpoint_id"]
    tested = await visit.api.change(endpoint_secrets.test, endpoint_id=name)
    return await _shown(visit, tested)


@action
async def rotate(visit: Visit) -> Response:
    name, overlap = visit.path["endpoint_id"], number(visit.form.get("overlapSeconds", ""))
    made = await visit.api.change(
        endpoint_secrets.rotate,
        {"overlapSeconds": overlap},
        name=visit.form.get("once", ""),
        endpoint_id=name,
    )
    return html(visit, "secret.html", endpoint_id=name, secret=made["secret"])


@action
async def replay(visit: Visit) -> str:
    name, form = visit.path["endpoint_id"], visit.form
    body = {
        "since": utc(form.get("since", "")),
        "onlyFailed": form.get("onlyFailed") == "on",
    }
    once = form.get("once", "")
    await visit.api.change(replays.start, body, name=once, endpoint_id=name)
    return _at(name, "replayed")


def _mistake(visit: Visit, refused: ApiError | WrongShape) -> str:
    """A refused form in a sentence for a customer; other refusals are raised again."""
    error = to_api_error(refused)
    places = [each.path for each in error.errors] or [error.code]
    sentences = [
        text for start, text in MISTAKES.items() if any(one.startswith(start) for one in places)
    ]
    if not sentences:
        raise refused
    visit.request.state.code = error.code
    return " ".join(sentences)


async def _listed(visit: Visit, mistake: str = "") -> Response:
    cursor = visit.query.get("cursor", "")
    found = await visit.api.read(endpoints.page, {"cursor": cursor})
    following = found["nextCursor"]
    return html(
        visit,
        "endpoints.html",
        endpoints=found["data"],
        next=following and f"/portal?{urlencode({'cursor': following})}",
        **await _filled(visit, None, mistake),
    )


async def _shown(visit: Visit, tested: dict[str, Any] | None = None, mistake: str = "") -> Response:
    name = visit.path["endpoint_id"]
    endpoint = await visit.api.read(endpoints.show, endpoint_id=name)
    newest = await visit.api.read(deliveries.page, {"endpointId": name, "limit": RECENT})
    return html(
        visit,
        "endpoint.html",
        endpoint=endpoint,
        tested=tested,
        deliveries=newest["data"],
        **await _filled(visit, endpoint, mistake),
    )


async def _filled(visit: Visit, endpoint: dict[str, Any] | None, mistake: str) -> dict[str, Any]:
    """The form of an endpoint: as it stands, or as it was sent with a mistake."""
    types, form = await _types(visit), visit.form
    known = endpoint["eventTypes"] if endpoint and endpoint["eventTypes"] != ALL else []
    sent = form.getlist("eventTypes") if mistake else known
    names = [each["name"] for each in types]
    others = [name for name in dict.fromkeys((*known, *sent)) if name not in names]
    return {
        "status": 422 if mistake else 200,
        "mistake": mistake,
        "url": form.get("url", ""),
        "about": form.get("description", "") if mistake else (endpoint or {}).get("description"),
        "chosen": sent,
        "types": types,
        "others": others,
    }


async def _types(visit: Visit) -> list[dict[str, Any]]:
    """The types of the catalogue that are not deprecated."""
    types: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        found = await visit.api.read(event_types.page, {"limit": "200", "cursor": cursor})
        types, cursor = types + found["data"], found["nextCursor"]
    return [each for each in types if not each["deprecated"]]


def _at(name: str, done: str) -> str:
    return f"/portal/endpoints/{quote(name)}?done={done}"
