"""The living sandboxes of `/dashboard/launchers`, a page at a time, each with what can be done."""

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.domain.tasks.task import Attempt, Task
from gateway.store.records import SandboxPosition
from gateway.web.dashboard.bulk import options_of
from gateway.web.dashboard.fields import quoted_json
from gateway.web.dashboard.page import Visit
from gateway.web.http.cursors import CURSOR, LIMIT, open_cursor, seal_cursor
from gateway.wire.times import maybe_rfc3339, rfc3339

_LIST: Final = b"sandboxes"
_START: Final[SandboxPosition] = ("", "", "", 0)
_POSITION: Final = msgspec.json.Decoder(SandboxPosition)


async def living_sandboxes(visit: Visit) -> Mapping[str, object]:
    """A page of the sandboxes that may be alive, by realm, and the address of the next page."""
    keyring, limit, cursor = visit.context.keyring, LIMIT.of(visit.query), CURSOR.of(visit.query)
    after = _POSITION.decode(open_cursor(keyring, _LIST, cursor)) if cursor else _START
    rows = await visit.context.reads.living_sandboxes(after, limit + 1)
    shown, following = rows[:limit], ""
    if len(rows) > limit:
        following = seal_cursor(keyring, _LIST, _position(shown[-1][0]))
    return {"living": [_view(*row) for row in shown], "limit": limit, "next": following}


def _position(attempt: Attempt) -> str:
    place = attempt.provider, attempt.realm, attempt.task_id, attempt.number
    return msgspec.json.encode(place).decode("ascii")


def _view(attempt: Attempt, task: Task) -> Mapping[str, object]:
    sandbox, wanted = attempt.sandbox, _only(task)
    state = sandbox.state if sandbox else "creating"
    body = {"action": "destroy", "filter": wanted, "reason": "TEXT"}
    return {
        "name": sandbox.name if sandbox else "",
        "state": state,
        "place": f"{attempt.provider}@{attempt.realm}",
        "since": maybe_rfc3339(attempt.tried_at),
        "launcher": attempt.launcher_id or "",
        "task": task.id,
        "status": task.status,
        "attempt": attempt.number,
        "is_kept": task.keep_sandbox and task.status.is_terminal,
        "has_ended": task.status.is_terminal,
        "may_destroy": task.status.is_terminal and state != "destroying",
        "may_release": attempt.ended_at is not None,
        "filter": wanted,
        "command": " ".join(("slipgate bulk destroy", *options_of(wanted), "--reason=TEXT")),
        "body": quoted_json(body),
    }


def _only(task: Task) -> dict[str, str]:
    """The filter of one task: a bulk action takes no ids. Its preview names what else matches."""
    return {
        "project": task.project,
        "createdAfter": rfc3339(task.created_at - 1),
        "createdBefore": rfc3339(task.created_at + 1),
    }
