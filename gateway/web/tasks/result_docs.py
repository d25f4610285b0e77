"""What documents the log and the patch of a task."""

from typing import Final

from gateway.web.http import access
from gateway.web.http.operation import Answer, Content, Operation
from gateway.web.tasks import results
from gateway.wire.tasks import LogChunk, Page

_TAG: Final = "Results"
_LINE: Final = "Cloning acme/widgets\n"
_CHUNK: Final = LogChunk(attempt=1, offset=0, chunk=_LINE, missing=0, at="2026-01-05T09:30:05.000Z")
_DIFF: Final = "--- a/app.py\n+++ b/app.py\n@@ -1 +1,2 @@\n app\n+health\n"

LOGS: Final = Operation(
    id="readLogs",
    tag=_TAG,
    summary="Read the agent's log, in order",
    access=access.READ_OR_TOKEN,
    parameters=results.LOG_PARAMETERS,
    answers=(
        Answer(
            meaning=(
                "Pieces of the log, a page of them; with `Accept: text/plain` all there is, as "
                "one text that says where something is missing."
            ),
            content=(
                Content(
                    kind=Page[LogChunk],
                    example=Page[LogChunk](data=(_CHUNK,), next_cursor="305"),
                ),
                Content(kind=str, example=_LINE, media_type="text/plain"),
            ),
        ),
    ),
    errors=("not_found",),
)
PATCH: Final = Operation(
    id="readPatch",
    tag=_TAG,
    summary="Read what the agent changed",
    description=(
        "The newest whole revision of the newest attempt that has one, in whichever way the task "
        "has ended. `Slipgate-Patch-Attempt` says whose it is, `Slipgate-Patch-Base` to which "
        "commit it applies, `Slipgate-Patch-Partial: true` that its agent was interrupted."
    ),
    access=access.READ_OR_TOKEN,
    parameters=results.PATCH_PARAMETERS,
    answers=(
        Answer(
            meaning="A unified diff.",
            content=(Content(kind=str, example=_DIFF, media_type="text/x-diff"),),
            headers=("Slipgate-Patch-Attempt", "Slipgate-Patch-Base", "Slipgate-Patch-Partial"),
        ),
    ),
    errors=("not_found", "no_patch", "patch_incomplete", "invalid_request"),
)
