"""`/portal`: the endpoints of a customer, and the event types that it can choose."""

from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.responses import Response

from gateway.web.dashboard.fields import number, utc
from gateway.web.deliveries import deliveries, endpoint_secrets, endpoints, event_types, replays
from gateway.web.portal.page import Visit, action, html, page

RECENT: Final = "20"


@page
async def index(visit: Visit) -> Response:
    cursor = visit.query.get("cursor", "")
    found = await visit.api.read(endpoints.page, {"cursor": cursor})
    following = found["nextCursor"]
    return html(
        visit,
        "endpoints.html",
        endpoints=found["data"],
        next=following and f"/portal?{urlencode({'cursor': following})}",
        types=await _types(visit),
    )


@page
async def show(visit: Visit) -> Response:
    return await _shown(visit)


@action
async def create(visit: Visit) -> Response:
    """A new endpoint, with its secret: the answer to the form is the only page that shows it."""
    made = await visit.api.create(visit.form, name=visit.form.get("once", ""))
    return html(visit, "secret.html", endpoint_id=made["id"], secret=made["secret"])


@action
async def update(visit: Visit) -> str:
    name = visit.path["endpoint_id"]
    await visit.api.update(visit.form, name)
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


async def _shown(visit: Visit, tested: dict[str, Any] | None = None) -> Response:
    name = visit.path["endpoint_id"]
    endpoint = await visit.api.read(endpoints.show, endpoint_id=name)
    newest = await visit.api.read(deliveries.page, {"endpointId": name, "limit": RECENT})
    return html(
        visit,
        "endpoint.html",
        endpoint=endpoint,
        tested=tested,
        deliveries=newest["data"],
        types=await _types(visit),
    )


async def _types(visit: Visit) -> list[dict[str, Any]]:
    """The types of the catalogue that are not deprecated."""
    found = await visit.api.read(event_types.page, {"limit": "200"})
    return [each for each in found["data"] if not each["deprecated"]]


def _at(name: str, done: str) -> str:
    return f"/portal/endpoints/{quote(name)}?done={done}"
