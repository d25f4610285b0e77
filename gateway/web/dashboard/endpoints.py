"""`/dashboard/endpoints`: receivers of webhooks, their health, and actions on them."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from starlette.responses import PlainTextResponse, Response

from gateway.web.dashboard.fields import number, utc
from gateway.web.dashboard.page import Page, Visit, action, html
from gateway.web.deliveries import deliveries, endpoint_secrets, endpoints, replays

RECENT: Final = "20"


@Page(template="endpoints.html")
async def index(visit: Visit) -> Mapping[str, object]:
    query = {name: visit.query.get(name, "") for name in ("project", "customer", "cursor")}
    found = await visit.api.read(endpoints.page, query)
    following = found["nextCursor"]
    return {
        "endpoints": found["data"],
        "project": query["project"],
        "next": following and f"?{urlencode(query | {'cursor': following})}",
    }


@Page(template="endpoint.html")
async def show(visit: Visit) -> Mapping[str, object]:
    return await _variables(visit)


async def _variables(visit: Visit) -> Mapping[str, object]:
    name = visit.path["endpoint_id"]
    recent = {"endpointId": name, "limit": RECENT}
    dead = await visit.api.read(deliveries.page, recent | {"status": "dead"})
    held = await visit.api.read(deliveries.page, recent | {"status": "held"})
    newest = (await visit.api.read(deliveries.page, recent))["data"]
    last = [each["attempts"][-1]["reason"] for each in newest if each["attempts"]]
    endpoint = await visit.api.read(endpoints.show, endpoint_id=name)
    return {
        "endpoint": endpoint,
        "failure": next(filter(None, last), None) if endpoint["failingSince"] else None,
        "deliveries": newest,
        "dead": len(dead["data"]),
        "held": len(held["data"]),
        "most": int(RECENT),
        "tested": None,
        "replay": await _replay(visit),
    }


async def _replay(visit: Visit) -> Mapping[str, object] | None:
    """The replay that was just started, with its progress."""
    name = visit.query.get("replay", "")
    return await visit.api.read(replays.show, replay_id=name) if name else None


@action
async def create(visit: Visit) -> Response:
    """A new endpoint. The secret is shown this once, as plain text: no page ever holds a secret."""
    body: dict[str, object] = {"url": visit.form.get("url", "")}
    named = ("project", "customer", "format", "description")
    body |= {name: visit.form[name] for name in named if visit.form.get(name)}
    types = visit.form.get("eventTypes", "").replace(",", " ").split()
    body |= {"eventTypes": types} if types else {}
    made = await visit.api.change(endpoints.create, body, name=visit.form.get("once", ""))
    return _secret(made["id"], made["secret"])


@action
async def rotate(visit: Visit) -> Response:
    name = visit.path["endpoint_id"]
    overlap = {"overlapSeconds": number(visit.form.get("overlapSeconds", ""))}
    made = await visit.api.change(
        endpoint_secrets.rotate, overlap, name=visit.form.get("once", ""), endpoint_id=name
    )
    return _secret(name, made["secret"])


def _secret(name: str, secret: str | None) -> Response:
    shown = secret or "(shown once already, and retired since)"
    return PlainTextResponse(f"{name}\n{shown}\n")


@action
async def enable(visit: Visit) -> str:
    name = visit.path["endpoint_id"]
    backlog = {"backlog": visit.form.get("backlog", "deliver")}
    await visit.api.change(endpoints.enable, backlog, endpoint_id=name)
    return f"/dashboard/endpoints/{quote(name)}?done=enabled"


@action
async def disable(visit: Visit) -> str:
    name = visit.path["endpoint_id"]
    await visit.api.change(endpoints.disable, endpoint_id=name)
    return f"/dashboard/endpoints/{quote(name)}?done=disabled"


@action
async def test(visit: Visit) -> Response:
    tested = await visit.api.change(endpoint_secrets.test, endpoint_id=visit.path["endpoint_id"])
    return html(visit, "endpoint.html", {**await _variables(visit), "tested": tested})


@action
async def replay(visit: Visit) -> str:
    name, form = visit.path["endpoint_id"], visit.form
    body = {
        "since": utc(form.get("since", "")),
        "onlyFailed": form.get("onlyFailed") == "on",
        "dryRun": form.get("dryRun") == "on",
    }
    body |= {"until": utc(form["until"])} if form.get("until") else {}
    begun = await visit.api.change(replays.start, body, name=form.get("once", ""), endpoint_id=name)
    return f"/dashboard/endpoints/{quote(name)}?replay={quote(begun['id'])}"
