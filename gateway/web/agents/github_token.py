"""`GET /v1/agent/github-token`: a new token for the repository of the attempt that asks."""

from typing import Final

from starlette.responses import Response

from gateway.domain.kernel.errors import ApiError
from gateway.web.agents.agent import ATTEMPT, TASK_ID, operation, sender_of
from gateway.web.http.call import Call
from gateway.web.http.operation import answer
from gateway.web.http.replies import reply
from gateway.web.launching.waiting_tokens import BUSY_SECONDS, Waiting
from gateway.wire.github_tokens import GitHubToken, TokenRequest
from gateway.wire.redaction import redact
from gateway.wire.scrubbing import plain
from gateway.wire.times import milliseconds, rfc3339

WAIT_SECONDS: Final = 25.0


@operation(
    id="readGitHubToken",
    summary="Fetch a new GitHub token, signed over an empty body",
    description=(
        "For agents whose `SLIPGATE_GITHUB_TOKEN_EXPIRES_AT` says that a GitHub App made their "
        "`GITHUB_TOKEN`. A launcher with that App answers, within 25 s; the gateway keeps no token."
    ),
    query=(TASK_ID, ATTEMPT),
    answers=(answer(GitHubToken, "For the task's repository alone."),),
    errors=("attempt_finished", "no_github_app"),
)
async def show(call: Call[None]) -> Response:
    context, attempt = call.context, await sender_of(call)
    spec = await context.reads.spec(attempt.task_id)
    if spec is None:
        raise _no_token("The task has been deleted.")
    if not context.waiting_tokens.has_launcher(spec.project):
        raise _no_token("No launcher with a GitHub App waits for requests of this project.")
    request = TokenRequest(
        id=context.new_id("tok"),
        repo_url=spec.repo_url,
        task_id=attempt.task_id,
        attempt=attempt.number,
    )
    asked = await context.waiting_tokens.ask(request, spec.project, seconds=WAIT_SECONDS)
    # An attempt that has ended meanwhile gets no token.
    await sender_of(call)
    return reply(_token(asked))


def _token(asked: Waiting) -> GitHubToken:
    """The answer; raises `no_github_app`, or `unavailable` if there is none yet."""
    given = asked.answer
    if given is None or (given.error is not None and given.error.retryable):
        raise ApiError(
            "unavailable",
            "The launcher has made no token yet.",
            hint="Send the same request again after Retry-After.",
            retry_after=BUSY_SECONDS,
        )
    if given.token is None or given.expires_at is None:
        reason = given.error.message if given.error else ""
        raise _no_token(plain(redact(f"The launcher made no token: {reason}")))
    return GitHubToken(token=given.token, expires_at=rfc3339(milliseconds(given.expires_at)))


def _no_token(detail: str) -> ApiError:
    return ApiError(
        "no_github_app", detail, hint="Go on with the token at hand, or configure the App there."
    )
