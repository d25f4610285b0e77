"""Failed calls as errors of a command: the reason, and what the operator does next."""

from typing import Final

import httpx
import msgspec

from gateway.cli.console.output import CommandFailed
from gateway.wire.problem import Problem

CREATE_KEY: Final = "`slipgate keys create --scope tasks --name me`"
_ADVICE: Final = {
    "unauthorized": f"SLIPGATE_API_KEY is no key of this gateway, or it was revoked: {CREATE_KEY} "
    "makes one beside its database.",
    "not_found": "Run `slipgate tasks list` to see the tasks of this key; those of other projects "
    "are not among them.",
    "method_not_allowed": "Compare the versions of this command and the gateway: they differ.",
    "cursor_expired": "Leave out --after to begin with the oldest event that is kept.",
    "no_trajectory": "Run `slipgate tasks logs`: an agent sends its record when it ends.",
    "no_patch": "Run `slipgate tasks explain`: an agent sends its patch when it ends.",
    "already_finished": "Nothing is left to stop; run `slipgate tasks retry` to try it again.",
    "invalid_request": "Correct the fields that are named and run the command again.",
    "unavailable": "Try again in a moment; if that does not help, look at the gateway's log and "
    "at its disk.",
}
"""By code, where the gateway's own hint is for programs or missing."""
_NO_ROUTE: Final = "There is no such route."
_OPTIONAL: Final = {"type": "about:blank", "title": "", "requestId": ""}
"""Fields that a problem may lack (RFC 9457), or that another version may not send."""


class Rejected(CommandFailed):
    """The gateway refused the request with an error code."""

    def __init__(self, code: str, message: str, next_step: str) -> None:
        super().__init__(message, next_step)
        self.code = code


class Unavailable(CommandFailed):
    """The gateway does not answer, or cannot store anything now: a later call may succeed."""


def no_answer(error: httpx.HTTPError, url: str) -> Unavailable:
    """The error of a call that got no answer."""
    if isinstance(error, httpx.ConnectError):
        return Unavailable(
            f"Nobody answers at {url}.",
            "Start it with `slipgate up`, or set SLIPGATE_URL to its address.",
        )
    if isinstance(error, httpx.TimeoutException):
        return Unavailable(
            f"{url} did not answer in time.",
            "Look at its log and at `GET /healthz`: it may be overloaded or stuck.",
        )
    return Unavailable(
        f"{url} broke off its answer ({type(error).__name__}).",
        "Try again; if that does not help, look at its log and at the proxies before it.",
    )


def rejection(response: httpx.Response) -> CommandFailed:
    """The error of an answer that is not a success."""
    try:
        document = msgspec.json.decode(response.content, type=dict[str, object])
        problem = msgspec.convert(_OPTIONAL | document, Problem)
    except msgspec.MsgspecError:
        return _foreign(response.status_code)
    message = f"{problem.code}: {problem.detail}{_field_lines(problem)}"
    if response.status_code in {429, 503}:
        return Unavailable(message, _advice(problem))
    return Rejected(problem.code, message, _advice(problem))


def _foreign(status: int) -> CommandFailed:
    if status in {502, 503, 504}:
        return Unavailable(
            f"HTTP {status} from something before the gateway.",
            "Check that the gateway runs: a proxy or a tunnel answers for it.",
        )
    return CommandFailed(
        f"HTTP {status}, and not in the form of a slipgate gateway.",
        "Check SLIPGATE_URL: something else answers there.",
    )


def _field_lines(problem: Problem) -> str:
    """A line for each wrong field, unless the detail names the only one."""
    errors = problem.errors or ()
    if len(errors) == 1 and errors[0].message in problem.detail:
        return ""
    return "".join(f"\n  {error.path}: {error.message}" for error in errors)


def _advice(problem: Problem) -> str:
    if problem.detail == _NO_ROUTE:
        return "Check SLIPGATE_URL: it ends behind the port; or compare versions."
    if problem.status >= 500 and problem.code != "unavailable":
        return f"Report this bug in slipgate: its log has more under request {problem.request_id}."
    advice = _ADVICE.get(problem.code) or problem.hint
    return advice or "Run `slipgate tasks explain` to see the state of a task."
