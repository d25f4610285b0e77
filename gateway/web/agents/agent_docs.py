"""What documents the routes of agents."""

from typing import Final

from gateway.web.agents import agent
from gateway.web.http import access
from gateway.web.http.operation import Body, Operation, answer
from gateway.web.openapi.agent_events import flat_words, signed_words
from gateway.web.openapi.examples import TASK_ID
from gateway.wire.agent import Accepted, FlatAccepted
from gateway.wire.decode import MAX_DEPTH

_TAG: Final = "Agents"
_DEADLINE: Final = "2026-01-05T09:37:10.000Z"
_LATE: Final = ("stale_attempt", "attempt_finished")
_ACCEPTED: Final = Accepted(accepted=True, applied=True, cancel=False, deadline_at=_DEADLINE)
_DUPLICATE: Final = Accepted(
    accepted=True, applied=True, cancel=False, deadline_at=_DEADLINE, duplicate=True
)
_SAID: Final = {"stage": "agent", "message": "turn 7 of 60"}

HEAR: Final = Operation(
    id="sendWord",
    tag=_TAG,
    summary="Say how the task goes, signed",
    description=(
        "`cancel: true` in the answer, 409 and 410 tell the agent to stop. The last word is never "
        "refused for an optional text that is too long: it is dropped, and `warnings` says so. "
        "What looks like a secret is kept as `[redacted:<kind>]`; in a patch, only what certainly "
        f"is one in an added line, with a warning. A word nests at most {MAX_DEPTH} levels."
    ),
    access=access.SIGNED,
    body=Body(
        kind=signed_words(),
        example={
            "type": "task.progress",
            "timestamp": "2026-01-05T09:32:10.000Z",
            "data": {"taskId": TASK_ID, "attempt": 1, **_SAID},
        },
        media_type=None,
    ),
    answers=(
        answer(Accepted, _ACCEPTED, "Stored.", status=202),
        answer(Accepted, _DUPLICATE, "The same came before under this webhook-id."),
    ),
    errors=("unknown_event_type", "webhook_id_reused", "patch_too_large", *_LATE),
)
PROMPT: Final = Operation(
    id="readPrompt",
    tag=_TAG,
    summary="Fetch the whole prompt, signed over an empty body",
    description="For agents whose `SLIPGATE_PROMPT_URL` says that `AGENT_PROMPT` is cut.",
    access=access.SIGNED,
    parameters=agent.PROMPT_PARAMETERS,
    answers=(answer(agent.Prompt, agent.Prompt(prompt="Add a /health endpoint"), "The prompt."),),
    errors=("attempt_finished",),
)
PATCH: Final = Operation(
    id="readResumedPatch",
    tag=_TAG,
    summary="Fetch the work of an earlier attempt, signed over an empty body",
    description=(
        "For agents that were given `SLIPGATE_RESUME_URL`: the final event of an earlier attempt "
        "said `resumable: true`, and its patch is whole. They go on with validation and push."
    ),
    access=access.SIGNED,
    parameters=agent.PROMPT_PARAMETERS,
    answers=(
        answer(
            agent.ResumedPatch,
            agent.ResumedPatch(
                attempt=1,
                base_sha="8d3f0c6b1e2a4f5d9c7b8a6e5f4d3c2b1a098765",
                summary="Added the endpoint.",
                warnings=(),
                patch="--- a/app.py\n+++ b/app.py\n@@ -1 +1,2 @@\n app\n+health\n",
            ),
            "What is left to do is to check it and to send it out.",
        ),
    ),
    errors=("attempt_finished", "no_patch"),
)
HOOK: Final = Operation(
    id="callHook",
    tag=_TAG,
    summary="Say how the task goes, by the capability URL",
    description=(
        "For scripts that cannot sign: whoever knows the URL may speak. `id`, if present, "
        "deduplicates; a `taskId` in the payload is ignored; texts that are too long are cut, "
        "and null and empty ones are as good as absent. What today's snapshot sends "
        "(`workspace.*`, `pr.created`, a flat `error`) is taken too."
    ),
    access=access.CAPABILITY,
    body=Body(kind=flat_words(), example={"type": "task.progress", **_SAID}, media_type=None),
    answers=(answer(FlatAccepted, FlatAccepted(cancel=False, deadline_at=_DEADLINE), "Stored."),),
    errors=("unknown_event_type", "webhook_id_reused", "patch_too_large", *_LATE),
)
