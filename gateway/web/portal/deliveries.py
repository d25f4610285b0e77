"""`/portal/deliveries`: what was sent to a customer's endpoints, and how it was answered."""

from urllib.parse import quote, urlencode

from starlette.responses import Response

from gateway.web.deliveries import deliveries
from gateway.web.deliveries.messages import standard_body
from gateway.web.portal.page import Visit, action, html, page


@page
async def index(visit: Visit) -> Response:
    wanted = {name: visit.query[name] for name in ("endpointId", "status") if visit.query.get(name)}
    query = wanted | {"cursor": visit.query.get("cursor", "")}
    found = await visit.api.read(deliveries.page, query)
    following = found["nextCursor"]
    return html(
        visit,
        "deliveries.html",
        deliveries=found["data"],
        wanted=wanted,
        states=deliveries.STATUS.known,
        next=following and f"/portal/deliveries?{urlencode(wanted | {'cursor': following})}",
    )


@page
async def show(visit: Visit) -> Response:
    name = visit.path["delivery_id"]
    delivery = await visit.api.read(deliveries.show, delivery_id=name)
    body = await _body(visit, deliveries.parts_of(name))
    return html(visit, "delivery.html", delivery=delivery, body=body)


@action
async def resend(visit: Visit) -> str:
    name = visit.path["delivery_id"]
    await visit.api.change(deliveries.retry, delivery_id=name)
    return f"/portal/deliveries/{quote(name)}?done=resent"


async def _body(visit: Visit, key: tuple[str, int]) -> str | None:
    """The body of a delivery as it was sent, or will be; call it for a customer's own alone."""
    found = await visit.context.reads.delivery_contexts([key], visit.context.clock())
    known = found.get(key)
    if known is None:
        return None
    return (known.body or standard_body(known.event, None)).decode()
