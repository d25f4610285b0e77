"""`GET /v1/audit`: who changed what."""

from typing import Final

import msgspec
from starlette.responses import Response

from gateway.web.convert import convert
from gateway.web.http.access import OPS
from gateway.web.http.call import Call
from gateway.web.http.cursors import CURSOR, LIMIT, keyset_page
from gateway.web.http.operation import Operation, answer
from gateway.web.http.query import Text, Timestamp
from gateway.web.http.replies import reply
from gateway.wire.keys import AuditEntryView
from gateway.wire.tasks import Page

ACTOR: Final = Text(
    name="actor",
    meaning="Only changes by this actor: `key:<id>`, `cli`, `agent`, `launcher:<id>`, `gateway`.",
)
AFTER: Final = Timestamp(name="after", meaning="Only changes after this moment.")


@Operation(
    id="listAudit",
    tag="Access",
    summary="List changes with their actors, newest first",
    description=(
        "Of keys, endpoints, deliveries, switches and launchers, and every request about a task; "
        "kept as long as tasks."
    ),
    access=OPS,
    query=(ACTOR, AFTER, LIMIT, CURSOR),
    answers=(answer(Page[AuditEntryView], "A page of the audit log."),),
    errors=("invalid_cursor",),
)
async def page(call: Call[None]) -> Response:
    actor, after, reads = call[ACTOR], call[AFTER], call.context.reads
    found = await keyset_page(
        call,
        msgspec.json.encode(("audit", actor, after)),
        lambda start, limit: reads.audit_before(start[0], limit, actor=actor, after=after),
        position=lambda entry: (entry.id, ""),
        view=lambda entry: convert(AuditEntryView, entry),
    )
    return reply(found)
