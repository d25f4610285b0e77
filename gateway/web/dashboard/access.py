"""`/dashboard/access`: API keys, and who changed what."""

import shlex
from collections.abc import Mapping
from typing import Final, get_args
from urllib.parse import urlencode

from starlette.responses import PlainTextResponse, Response

from gateway.domain.kernel.errors import ApiError
from gateway.web.dashboard.fields import number, utc
from gateway.web.dashboard.page import Page, Visit, action
from gateway.web.operations import audit, keys
from gateway.wire.decode import WrongShape
from gateway.wire.keys import Scope

SCOPES: Final = get_args(Scope)
LIMITS: Final = ("requestsPerSecond", "burst", "concurrent")
SUBMITTED_FOR: Final = 12 * 3_600_000
"""Milliseconds that a submitted form is remembered: as long as a session."""


@Page(template="access.html")
async def show(visit: Visit) -> Mapping[str, object]:
    query = visit.query
    listed = await visit.api.read(keys.page, {"cursor": query.get("keys", "")})
    actor, after = query.get("actor", "").strip(), utc(query.get("after", ""))
    wanted = {name: text for name, text in (("actor", actor), ("after", after)) if text}
    log = await visit.api.read(audit.page, wanted | {"cursor": query.get("cursor", "")})
    given = (shlex.quote(f"--{name}={text}") for name, text in wanted.items())
    return {
        "keys": listed["data"],
        "next_keys": _following(wanted, "keys", listed["nextCursor"]),
        "log": log["data"],
        "next_log": _following(wanted, "cursor", log["nextCursor"]),
        "wanted": wanted,
        "scopes": SCOPES,
        "command": " ".join(("slipgate audit", *given)),
        "route": f"/v1/audit?{urlencode(wanted)}",
    }


@action
async def create(visit: Visit) -> Response:
    """A new key. It is shown this once, as plain text: no page ever holds a key."""
    form, context = visit.form, visit.context
    now, once = context.clock(), f"key {visit.session.key.id} {visit.form.get('once', '')}"
    body: dict[str, object] = {"allProjects": form.get("allProjects") == "on"}
    body |= {name: form[name] for name in ("scope", "name", "project") if form.get(name)}
    body |= {"expiresAt": utc(form["expiresAt"])} if form.get("expiresAt") else {}
    body["rateLimit"] = {name: number(form[name]) for name in LIMITS if form.get(name)}
    if not context.used_tokens.use(once, now + SUBMITTED_FOR, now):
        raise ApiError(
            "forbidden",
            "This form was sent before: its key was shown then, and is shown once.",
            hint="Load the page again to create another key.",
        )
    try:
        made = await visit.api.change(keys.create, body)
    except (ApiError, WrongShape):
        context.used_tokens.forget(once)  # the form is corrected and sent again
        raise
    lines = [made["id"], made["key"]]
    lines += [f"callback secret {made['callbackSecret']}"] if made["callbackSecret"] else []
    return PlainTextResponse("\n".join((*lines, "")))


@action
async def revoke(visit: Visit) -> str:
    force = {"force": visit.form.get("force") == "on"}
    await visit.api.change(keys.revoke, force, key_id=visit.path["key_id"])
    return "/dashboard/access?done=revoked"


def _following(wanted: Mapping[str, str], name: str, cursor: str | None) -> str | None:
    return cursor and f"/dashboard/access?{urlencode({**wanted, name: cursor})}"
