"""`/dashboard`: what is wrong, the counts of this moment, and the newest tasks."""

import shlex
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from gateway.domain.tasks.task import FLAG_ORDER
from gateway.web.dashboard.charts import durations_rows, ends_chart
from gateway.web.dashboard.fields import quoted_json, utc
from gateway.web.dashboard.page import Page, Visit, action
from gateway.web.dashboard.rendering import span
from gateway.web.http.auth import project_of
from gateway.web.operations import status, switches
from gateway.web.tasks import lists

NEWEST: Final = "10"
EFFECTS: Final = {
    "intake": "New tasks, retries and follow-ups are answered 503 with Retry-After. Tasks that "
    "were taken go on.",
    "launching": "Tasks wait in the queue, and their queue clocks stand still. What runs goes on, "
    "and sandboxes are inspected and destroyed as always.",
    "delivering": "Webhooks are kept and not sent, and no attempt is counted. They go out in their "
    "order afterwards.",
}
"""The effect of each switch while it is paused."""
_LINKS: Final = {
    "task_": "/dashboard/tasks/",
    "ep_": "/dashboard/endpoints/",
}

_ALL: Final = "all of them"
_LAUNCHERS: Final = ("launchers", "/dashboard/launchers")
_ENDPOINTS: Final = ("endpoints", "/dashboard/endpoints")
_HEALTH: Final = ("health", "/dashboard/health")
_SWITCHES: Final = ("switches", "#switches")
_LISTS: Final = {
    "intake_paused": _SWITCHES,
    "launching_paused": _SWITCHES,
    "delivering_paused": _SWITCHES,
    "provider_paused": _SWITCHES,
    "provider_down": _SWITCHES,
    "no_launcher": _LAUNCHERS,
    "realm_missing": _LAUNCHERS,
    "queue_old": (_ALL, "/dashboard/tasks?status=queued"),
    "endpoint_failing": _ENDPOINTS,
    "endpoint_disabled": _ENDPOINTS,
    "deliveries_dead": (_ALL, "/dashboard/deliveries?status=dead"),
    "deliveries_late": (_ALL, "/dashboard/deliveries?status=pending"),
    "read_only": _HEALTH,
    "disk_low": _HEALTH,
}
"""The page where something can be done about a problem that is no flag or error of tasks."""


@Page(template="now.html")
async def show(visit: Visit) -> Mapping[str, object]:
    found = await visit.api.read(status.show)
    tasks = await visit.api.read(lists.page, {"limit": NEWEST})
    history = await visit.context.history.of(project_of(visit.session.key))
    return {
        "status": found,
        "links": [_link_of(problem["example"]) for problem in found["problems"]],
        "lists": [_list_of(problem["code"], visit) for problem in found["problems"]],
        "strip": _strip(found["strip"]),
        "tasks": tasks["data"],
        "chart": ends_chart(history.ends, visit.context.clock()),
        "durations": durations_rows(history.durations),
        "feed": await feed_of(visit),
        "switches": await _switches(visit),
        "effects": EFFECTS,
    }


async def _switches(visit: Visit) -> list[Any]:
    """The switches; none for a key that may not see them."""
    if not visit.api.may(switches.show):
        return []
    found = (await visit.api.read(switches.show))["data"]
    return [{**one, "resume": _resume(one)} for one in found]


def _resume(switch: Mapping[str, Any]) -> dict[str, str]:
    """The command and the body that end a pause."""
    scope = {name: switch[name] for name in ("project", "provider") if switch.get(name)}
    options = (shlex.quote(f"--{name}={text}") for name, text in scope.items())
    words = ("slipgate switches resume", switch["name"], *options, "--reason=TEXT")
    body = {switch["name"]: "on", "reason": "TEXT", **scope}
    return {"command": " ".join(words), "body": quoted_json(body)}


@action
async def switch(visit: Visit) -> str:
    """Pauses or resumes one switch."""
    form = visit.form
    state = form.get("state", "")
    body: dict[str, object] = {form.get("name", ""): state, "reason": form.get("reason", "")}
    body |= {name: form[name] for name in ("project", "provider") if form.get(name)}
    if form.get("until"):
        body["until"] = utc(form["until"])
    await visit.api.change(switches.change, body)
    return f"/dashboard?done={'paused' if state == 'paused' else 'resumed'}"


def _link_of(name: str | None) -> str:
    """The page of a thing by its id."""
    for prefix, path in _LINKS.items():
        if name and name.startswith(prefix):
            return path + name
    return "/dashboard"


def _list_of(code: str, visit: Visit) -> tuple[str, str] | None:
    """The name and address of the page where all that a problem concerns can be acted on."""
    name = "flag" if code in FLAG_ORDER else "errorCode"
    text, address = _LISTS.get(code, (_ALL, f"/dashboard/tasks?{urlencode({name: code})}"))
    return (text, address) if visit.session.is_ops or "/tasks?" in address else None


async def feed_of(visit: Visit) -> str:
    """The address of the events from now on."""
    after = await visit.context.reads.endpoints.last_before(visit.context.clock())
    return f"/dashboard/feed?{urlencode({'after': after})}"


def _strip(counts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(name, number, address) of each count."""
    states = [
        (name, str(counts[name]), f"/dashboard/tasks?status={name}")
        for name in ("queued", "launching", "running")
    ]
    return [
        *states,
        ("ended in the last hour", str(counts["endedLastHour"]), "/dashboard/tasks"),
        ("deliveries due", str(counts["deliveriesDue"]), "/dashboard/deliveries?status=pending"),
        (
            "the oldest of them",
            span(counts["oldestDueSeconds"]),
            "/dashboard/deliveries?status=pending",
        ),
        ("launchers", str(counts["launchersLive"]), "/dashboard/launchers"),
    ]
