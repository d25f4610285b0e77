"""`/dashboard/bulk`: act on all tasks that match, after a count; the progress of each action, and
of replays."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlencode

from starlette.responses import Response

from gateway.domain.deliveries.replay import Replay
from gateway.domain.kernel.errors import ApiError
from gateway.web.dashboard.api import Api, Json
from gateway.web.dashboard.fields import quoted_json
from gateway.web.dashboard.forms import Form
from gateway.web.dashboard.now import feed_of
from gateway.web.dashboard.page import Page, Visit, action, html
from gateway.web.deliveries import replays
from gateway.web.operations import bulk

ACTIONS: Final = ("cancel", "retry", "destroy")
OPTIONS: Final = {
    "status": "--status",
    "flag": "--flag",
    "errorCode": "--error-code",
    "provider": "--provider",
    "snapshot": "--snapshot",
    "launcherId": "--launcher",
    "repoUrl": "--repo",
    "project": "--project",
    "createdAfter": "--created-after",
    "createdBefore": "--created-before",
}
"""Filters of tasks, by their names in the API, and the options of the command line."""
METADATA: Final = "metadata."
RUNNING_REPLAYS, ENDED_REPLAYS = 100, 20
"""The most that the page lists."""


@Page(template="bulk.html")
async def index(visit: Visit) -> Mapping[str, object]:
    found = await visit.api.read(bulk.page, {"cursor": visit.query.get("cursor", "")})
    following = found["nextCursor"]
    return {
        "actions": found["data"],
        "next": following and f"?{urlencode({'cursor': following})}",
        "may_replay": visit.api.may(replays.show),
        "replays": await _replays(visit),
        "feed": await feed_of(visit),
    }


async def _replays(visit: Visit) -> list[tuple[Replay, str]]:
    """Running replays and the newest that ended; none for a key that may not see them."""
    if not visit.api.may(replays.show):
        return []
    reads = visit.context.reads.endpoints
    return await reads.replays(running=RUNNING_REPLAYS, ended=ENDED_REPLAYS)


@Page(template="bulk_action.html")
async def show(visit: Visit) -> Mapping[str, object]:
    found = await visit.api.read(bulk.show, bulk_id=visit.path["bulk_id"])
    return {
        "action": found,
        "asked": list(_conditions_of(found["filter"])),
        "may_act": visit.api.may(bulk.start),
        "feed": await feed_of(visit),
    }


@action
async def preview(visit: Visit) -> Response:
    """The number of tasks that match, and the form that acts on them."""
    body = _body_of(visit.form)
    found = await _count(visit, body)
    variables = {
        "preview": found,
        "number": _number_of(found["matched"]),
        "kept": {name: text for name, text in visit.form.items() if name not in {"csrf", "once"}},
        "asked": list(_conditions_of(filter_of(visit.form))),
        "reason": body["reason"],
        "command": _command(visit.form),
        "body": quoted_json(body),
    }
    return html(visit, "bulk_preview.html", variables)


async def _count(visit: Visit, body: Mapping[str, object]) -> Json:
    """The dry run; `matched` is None where to count them would take longer than a page may."""
    context = visit.context
    most = min(context.preview_limit, context.bulk_limit)
    api = Api(visit.request, replace(context, bulk_limit=most), visit.session.key)
    try:
        return await api.change(bulk.start, {**body, "dryRun": True})
    except ApiError as exc:
        if exc.code != "too_many_tasks" or most == context.bulk_limit:
            raise
        return {"action": body["action"], "matched": None, "sample": ()}


@action
async def start(visit: Visit) -> str:
    body = _body_of(visit.form)
    begun = await visit.api.change(bulk.start, body, name=visit.form.get("once", ""))
    return f"/dashboard/bulk/{quote(begun['id'])}"


@action
async def abort(visit: Visit) -> str:
    name = visit.path["bulk_id"]
    await visit.api.change(bulk.abort, bulk_id=name)
    return f"/dashboard/bulk/{quote(name)}?done=aborted"


def filters_of(given: Mapping[str, str]) -> dict[str, str]:
    """The filters of tasks among these parameters that say something."""
    return {
        name: text
        for name, text in given.items()
        if text and (name in OPTIONS or name.startswith(METADATA))
    }


def options_of(wanted: Mapping[str, str]) -> list[str]:
    """The same filters for the command line, quoted for a shell."""
    return [
        shlex.quote(f"{OPTIONS[name]}={text}")
        if name in OPTIONS
        else shlex.quote(f"--metadata={name.removeprefix(METADATA)}={text}")
        for name, text in wanted.items()
    ]


def _conditions_of(wanted: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The conditions of a filter as lines of text."""
    for name, value in wanted.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", str(text)) for key, text in value.items())
        else:
            yield name, ", ".join(value) if isinstance(value, list) else str(value)


def _number_of(matched: int | None) -> str:
    if matched is None:
        return "all tasks that match"
    return "1 task" if matched == 1 else f"{matched:,} tasks"


def _body_of(form: Form) -> dict[str, object]:
    return {
        "action": form.get("action", ""),
        "filter": filter_of(form),
        "reason": form.get("reason", ""),
    }


def filter_of(form: Form) -> dict[str, object]:
    """The filter as the API takes it."""
    wanted = filters_of(form)
    given: dict[str, object] = {name: text for name, text in wanted.items() if name in OPTIONS}
    if "status" in wanted:
        given["status"] = wanted["status"].split(",")
    metadata = {
        name.removeprefix(METADATA): text
        for name, text in wanted.items()
        if name.startswith(METADATA)
    }
    return given | ({"metadata": metadata} if metadata else {})


def _command(form: Form) -> str:
    verb = form.get("action", "")
    reason = shlex.quote(f"--reason={form.get('reason', '')}")
    return " ".join(("slipgate bulk", shlex.quote(verb), *options_of(filters_of(form)), reason))
