"""The launcher's side of new GitHub tokens: requests to claim, and their answers."""

from functools import partial
from typing import Final

from starlette.responses import Response

from gateway.domain.kernel.errors import ApiError
from gateway.web.context import Context
from gateway.web.http.access import LAUNCHER
from gateway.web.http.auth import served_by
from gateway.web.http.call import Call
from gateway.web.http.operation import Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.wire.github_tokens import TokenAnswer, TokenRequests, WantedTokens
from gateway.wire.launcher import Acknowledged

operation: Final = partial(Operation, tag="Launchers", access=LAUNCHER)


@operation(
    id="claimTokenRequests",
    summary="Wait for agents that need a new GitHub token",
    description="For launchers with a GitHub App. A key made for a project gets the requests of "
    "that project alone. A request that is not answered within 10 s is offered again; one that a "
    "launcher refuses, to the others.",
    body=Body(kind=WantedTokens),
    answers=(answer(TokenRequests, "Requests to answer; none when time is over."),),
    errors=("launcher_revoked",),
)
async def claim(call: Call[WantedTokens]) -> Response:
    async def is_gone() -> bool:
        await call.admit_again()
        await _check_mode(call.context, call.body.launcher_id)
        return await call.request.is_disconnected()

    found = await call.context.waiting_tokens.take(
        served_by(call.key),
        call.body.launcher_id,
        seconds=call.body.wait_seconds,
        is_gone=is_gone,
    )
    return reply(TokenRequests(requests=found))


@operation(
    id="answerTokenRequest",
    summary="Answer an agent that needs a new GitHub token",
    description="The token goes to the agent that asked and is kept nowhere.",
    body=Body(kind=TokenAnswer),
    answers=(answer(Acknowledged, "The agent has it."),),
    errors=("launcher_revoked", "not_found"),
)
async def settle(call: Call[TokenAnswer]) -> Response:
    waiting, asked = call.context.waiting_tokens, (call.path["request_id"], served_by(call.key))
    await _check_mode(call.context, waiting.holder(*asked))
    if not await waiting.settle(*asked, call.body):
        raise ApiError("not_found", "Nobody waits for this answer.")
    return reply(Acknowledged())


async def _check_mode(context: Context, launcher_id: str) -> None:
    """Raises `launcher_revoked`."""
    launcher = await context.reads.launcher(launcher_id)
    if launcher is not None:
        launcher.check_mode()
