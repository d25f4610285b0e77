"""What documents the webhooks of services that watch sandboxes and pull requests."""

from typing import Final

from gateway.web.http import access
from gateway.web.http.operation import Body, Header, Operation, answer
from gateway.wire.message import JSONObject
from gateway.wire.sources import Received

_TAG: Final = "Services"
_TAKEN: Final = Received(accepted=True, applied=True)
_DUPLICATE: Final = Received(accepted=True, applied=True, duplicate=True)
_ANSWERS: Final = (
    answer(Received, _TAKEN, "Authentic; `reason` says why nothing came of it.", status=202),
    answer(Received, _DUPLICATE, "The same came before, in the last 7 days."),
)
_ERRORS: Final = ("not_found", "webhook_id_reused")

DAYTONA: Final = Operation(
    id="receiveFromDaytona",
    tag=_TAG,
    summary="Hear of Daytona that a sandbox has changed",
    description=(
        "Signed as Svix does, with one of `SLIPGATE_DAYTONA_WEBHOOK_SECRETS`; without any, 404. A "
        "message judges nothing: the sandbox is looked at. Events about sandboxes that are not "
        "ours, snapshots and volumes are taken and not applied."
    ),
    access=access.DAYTONA,
    body=Body(
        kind=JSONObject,
        example={
            "event": "sandbox.state.updated",
            "timestamp": "2026-01-05T09:32:10.000Z",
            "id": "9f1c2a30-5b7e-4c1d-8a2f-3d4e5f607182",
            "organizationId": "1d2e3f40-5a6b-4c7d-8e9f-0a1b2c3d4e5f",
            "oldState": "started",
            "newState": "stopped",
            "updatedAt": "2026-01-05T09:32:10.000Z",
        },
        media_type=None,
    ),
    answers=_ANSWERS,
    errors=_ERRORS,
)
GITHUB: Final = Operation(
    id="receiveFromGitHub",
    tag=_TAG,
    summary="Hear of GitHub that a pull request was merged or closed",
    description=(
        "Signed with one of `SLIPGATE_GITHUB_WEBHOOK_SECRETS`; without any, 404. `pull_request` "
        "with the action `closed` becomes `task.pr_merged` or `task.pr_closed` of the tasks with "
        "this `prUrl`, in every state, and changes none; all other events are taken and not "
        "followed."
    ),
    access=access.GITHUB,
    parameters=(
        Header(
            name="X-GitHub-Delivery",
            meaning="The delivery's id; the same one again is no second message.",
            schema={"type": "string"},
        ),
        Header(
            name="X-GitHub-Event",
            meaning="What the body tells of.",
            schema={"type": "string"},
        ),
    ),
    body=Body(
        kind=JSONObject,
        example={
            "action": "closed",
            "number": 12,
            "pull_request": {
                "html_url": "https://github.com/acme/widgets/pull/12",
                "merged": True,
                "closed_at": "2026-01-05T09:32:10Z",
                "merge_commit_sha": "5f1c2a90d3b4e6f708192a3b4c5d6e7f80912a3b",
            },
            "sender": {"login": "octocat"},
        },
    ),
    answers=_ANSWERS,
    errors=_ERRORS,
)
