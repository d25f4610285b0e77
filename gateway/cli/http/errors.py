"""What a call that failed means for whoever typed the command, and what to do about it."""

from typing import Final

import httpx
import msgspec

from gateway.cli.console.output import CommandFailed
from gateway.cli.http.replies import ProblemView


class Denied(CommandFailed):
    """The gateway has said no, and by which code."""

    def __init__(self, code: str, message: str, next_step: str) -> None:
        super().__init__(message, next_step)
        self.code = code


class Away(CommandFailed):
    """Nobody answers, or nothing can be stored just now: in a moment it may be well again."""


KEYS: Final = "`slipgate keys create --scope tasks --name me`"
_ADVICE: Final = {
    "unauthorized": f"SLIPGATE_API_KEY is no key of this gateway, or it was revoked: {KEYS} makes "
    "one beside its database.",
    "not_found": "`slipgate tasks list` shows what this key can see; another project's tasks are "
    "not among them.",
    "method_not_allowed": "This gateway is of another version than this command.",
    "cursor_expired": "Leave --after out to begin with the oldest event that is kept.",
    "no_patch": "An agent sends it with its last word; `slipgate tasks explain` says how the task "
    "stands.",
    "already_finished": "There is nothing left to stop; `slipgate tasks retry` tries it again.",
    "invalid_request": "Correct what is named and type it again.",
    "unavailable": "Try again in a moment; if that does not help, look at the gateway's log and "
    "at its disk.",
}
"""By code, where the gateway's own hint speaks to programs or says nothing."""
_NO_ROUTE: Final = "There is no such route."


def unanswered(error: httpx.HTTPError, url: str) -> Away:
    """No answer came."""
    if isinstance(error, httpx.ConnectError):
        return Away(
            f"Nobody answers at {url}.",
            "Start it with `slipgate up`, or set SLIPGATE_URL to where it runs.",
        )
    if isinstance(error, httpx.TimeoutException):
        return Away(
            f"{url} did not answer in time.",
            "Look at its log, and at `GET /healthz`: it may be overloaded or stuck.",
        )
    return Away(
        f"{url} broke off its answer ({type(error).__name__}).",
        "Try again; if that does not help, look at its log and at proxies before it.",
    )


def refused(response: httpx.Response) -> CommandFailed:
    """An answer that is not a success."""
    try:
        problem = msgspec.json.decode(response.content, type=ProblemView)
    except msgspec.MsgspecError:
        return _foreign(response.status_code)
    message, advice = f"{problem.code}: {problem.detail}{_fields(problem)}", _advice(problem)
    if response.status_code in {429, 503}:
        return Away(message, advice)
    return Denied(problem.code, message, advice)


def _foreign(status: int) -> CommandFailed:
    if status in {502, 503, 504}:
        message = f"HTTP {status} from something before the gateway."
        return Away(message, "Look whether the gateway runs; a proxy or a tunnel answers for it.")
    message = f"HTTP {status}, and not in the form of a slipgate gateway."
    return CommandFailed(message, "Look at SLIPGATE_URL: something else answers there.")


def _fields(problem: ProblemView) -> str:
    """What is wrong, each on a line, unless the detail has said it all."""
    errors = problem.errors or ()
    if len(errors) == 1 and errors[0].message in problem.detail:
        return ""
    return "".join(f"\n  {error.path}: {error.message}" for error in errors)


def _advice(problem: ProblemView) -> str:
    if problem.detail == _NO_ROUTE:
        return "Look at SLIPGATE_URL: it ends behind the port; or compare versions."
    own = _ADVICE.get(problem.code)
    if problem.status >= 500 and problem.code != "unavailable":
        return f"This is a bug in slipgate: its log has more under request {problem.request_id}."
    return own or problem.hint or "`slipgate tasks explain` says how a task stands."
