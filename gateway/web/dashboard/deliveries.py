"""`/dashboard/deliveries`: events for endpoints, each attempt with the answer, and resending."""

import shlex
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from gateway.web.dashboard.page import Page, Visit, action
from gateway.web.deliveries import deliveries

STATES: Final = deliveries.STATUS.known
FILTERS: Final = ("endpointId", "taskId", "status")


@Page(template="deliveries.html")
async def index(visit: Visit) -> Mapping[str, object]:
    wanted = {name: visit.query[name] for name in FILTERS if visit.query.get(name)}
    query = wanted | {"cursor": visit.query.get("cursor", "")}
    found = await visit.api.read(deliveries.page, query)
    following = found["nextCursor"]
    options = {"endpointId": "--endpoint", "taskId": "--task", "status": "--status"}
    given = (shlex.quote(f"{options[name]}={text}") for name, text in wanted.items())
    return {
        "deliveries": found["data"],
        "wanted": wanted,
        "states": STATES,
        "next": following and f"?{urlencode(wanted | {'cursor': following})}",
        "command": " ".join(("slipgate deliveries list", *given)),
        "route": f"/v1/deliveries?{urlencode(wanted)}",
    }


@Page(template="delivery.html")
async def show(visit: Visit) -> Mapping[str, object]:
    name = visit.path["delivery_id"]
    return {"delivery": await visit.api.read(deliveries.show, delivery_id=name)}


@action
async def resend(visit: Visit) -> str:
    name = visit.path["delivery_id"]
    await visit.api.change(deliveries.retry, delivery_id=name)
    return f"/dashboard/deliveries/{quote(name)}?done=resent"
