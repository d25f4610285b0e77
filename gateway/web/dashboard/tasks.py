"""`/dashboard/tasks`: the API's filters as a form, and the tasks that match."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from gateway.domain.tasks.task import FLAG_ORDER, Status
from gateway.store.records import ANY_FLAG
from gateway.web.dashboard.bulk import ACTIONS, filter_of, filters_of, options_of
from gateway.web.dashboard.fields import quoted_json
from gateway.web.dashboard.now import feed_of
from gateway.web.dashboard.page import Page, Visit
from gateway.web.dashboard.views import filters_in, views_of
from gateway.web.operations import bulk
from gateway.web.tasks import lists

VIEWS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("All", {}),
    ("Living", {"status": "queued,launching,running"}),
    ("Flagged", {"flag": ANY_FLAG}),
    ("To review", {"status": "needs_review"}),
    ("Failed", {"status": "failed,timed_out,expired"}),
)
"""Filters that people ask for most."""


Link = tuple[str, str, bool]
"""The name and address of a view, and True for the one that is shown."""


@Page(template="tasks.html")
async def show(visit: Visit) -> Mapping[str, object]:
    wanted = filters_of(visit.query)
    cursor = visit.query.get("cursor", "")
    found = await visit.api.read(lists.page, wanted | {"cursor": cursor})
    following = found["nextCursor"]
    return {
        "tasks": found["data"],
        "wanted": wanted,
        "statuses": tuple(Status),
        "flags": (ANY_FLAG, *FLAG_ORDER),
        "views": [_link(name, query, wanted) for name, query in VIEWS],
        "saved": [
            _link(name, filters_in(query), wanted)
            for name, query in views_of(visit.request).items()
        ],
        "next": following and f"?{urlencode(wanted | {'cursor': following})}",
        "actions": ACTIONS,
        "may_act": visit.api.may(bulk.start),
        "command": " ".join(("slipgate tasks list", *options_of(wanted))),
        "bulk_command": " ".join(
            ("slipgate bulk retry", *options_of(wanted), "--reason=TEXT --dry-run")
        ),
        "bulk_body": quoted_json(
            {"action": "retry", "filter": filter_of(wanted), "reason": "TEXT", "dryRun": True}
        ),
        "route": f"/v1/tasks?{urlencode(wanted)}",
        "feed": "" if cursor else await feed_of(visit),
    }


def _link(name: str, query: Mapping[str, str], wanted: Mapping[str, str]) -> Link:
    return name, f"?{urlencode(query)}", query == wanted
