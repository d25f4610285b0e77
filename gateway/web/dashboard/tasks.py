"""`/dashboard/tasks`: the API's filters as a form, and the tasks that match."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from gateway.domain.tasks.task import FLAG_ORDER, Status
from gateway.store.records import ANY_FLAG
from gateway.web.dashboard.now import feed_of
from gateway.web.dashboard.page import Page, Visit
from gateway.web.tasks import lists

FILTERS: Final = ("status", "flag", "errorCode", "repoUrl", "createdAfter", "createdBefore")
VIEWS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("All", {}),
    ("Living", {"status": "queued,launching,running"}),
    ("Flagged", {"flag": ANY_FLAG}),
    ("To review", {"status": "needs_review"}),
    ("Failed", {"status": "failed,timed_out,expired"}),
)
"""Filters that people ask for most."""


@Page(template="tasks.html")
async def show(visit: Visit) -> Mapping[str, object]:
    wanted = {
        name: text
        for name, text in visit.query.items()
        if text and (name in FILTERS or name.startswith("metadata."))
    }
    cursor = visit.query.get("cursor", "")
    found = await visit.api.read(lists.page, wanted | {"cursor": cursor})
    following = found["nextCursor"]
    return {
        "tasks": found["data"],
        "wanted": wanted,
        "statuses": tuple(Status),
        "flags": (ANY_FLAG, *FLAG_ORDER),
        "views": [(name, f"?{urlencode(query)}", query == wanted) for name, query in VIEWS],
        "next": following and f"?{urlencode(wanted | {'cursor': following})}",
        "command": _command(wanted),
        "route": f"/v1/tasks?{urlencode(wanted)}",
        "feed": "" if cursor else await feed_of(visit),
    }


_OPTIONS: Final = {
    "status": "--status",
    "flag": "--flag",
    "errorCode": "--error-code",
    "repoUrl": "--repo",
    "createdAfter": "--created-after",
    "createdBefore": "--created-before",
}


def _command(wanted: Mapping[str, str]) -> str:
    options = [
        f"{_OPTIONS[name]}={text}" if name in _OPTIONS else f"--{name}={text}"
        for name, text in wanted.items()
    ]
    return " ".join(("slipgate tasks list", *options))
