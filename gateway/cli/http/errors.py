"""Failed calls as errors of a command: the reason, and what the operator does next."""

import re
from collections.abc import Mapping
from typing import Final

import httpx
import msgspec

from gateway.cli.console.output import CommandFailed
from gateway.cli.http.connection import CREATE_KEY, Connection
from gateway.wire.problem import Problem

_ADVICE: Final = {
    "not_found": "Run `slipgate tasks list`, `slipgate endpoints list` or `slipgate events types` "
    "to see what this key reaches: nothing of other projects.",
    "method_not_allowed": "Compare the versions of this command and the gateway: they differ.",
    "cursor_expired": "Leave out --after to begin with the oldest event that is kept.",
    "no_trajectory": "Run `slipgate tasks logs`: an agent sends its record when it ends.",
    "no_patch": "Run `slipgate tasks explain`: an agent sends its patch when it ends.",
    "already_finished": "Nothing is left to stop; run `slipgate tasks retry` to try it again.",
    "invalid_request": "Correct the fields that are named and run the command again.",
    "intake_paused": "Wait until the pause is over: `slipgate switches show` says when; ops end it "
    "with `slipgate switches resume intake`.",
    "read_only": "Free space on the gateway's disk: it goes on by itself. Reads are answered.",
    "unavailable": "Try again in a moment; if that does not help, look at the gateway's log and "
    "at its disk, or its PostgreSQL server.",
}
"""By code, where the gateway's own hint is for programs or missing."""
_PARAMETER: Final = re.compile(r"(?<!\S)\?([a-z][A-Za-z]*):")
_CAPITAL: Final = re.compile("[A-Z]")
_SHORTER: Final = {"repoUrl": "repo", "launcherId": "launcher"}
"""Options whose names are not those of their parameters."""
_NO_ROUTE: Final = "There is no such route."
_OPTIONAL: Final = {"type": "about:blank", "title": "", "requestId": ""}
"""Fields that a problem may lack (RFC 9457), or that another version may not send."""


class Rejected(CommandFailed):
    """The gateway refused the request with an error code."""

    def __init__(
        self, code: str, message: str, next_step: str, problem: Mapping[str, object]
    ) -> None:
        super().__init__(message, next_step, problem=problem)
        self.code = code


class Unavailable(CommandFailed):
    """The gateway does not answer, or cannot store anything now: a later call may succeed."""


def no_answer(error: httpx.HTTPError, connection: Connection) -> Unavailable:
    """The error of a call that got no answer."""
    url = connection.url
    if isinstance(error, httpx.ConnectError):
        return Unavailable(
            f"Nobody answers at {url}.",
            f"Start it with `slipgate up`, or correct {connection.url_from}: its address.",
        )
    if isinstance(error, httpx.TimeoutException):
        return Unavailable(
            f"{url} did not answer in time.",
            "Look at its log and at `GET /healthz`: it may be overloaded or stuck.",
        )
    return Unavailable(
        f"{url} broke off its answer ({type(error).__name__}).",
        "Try again; if that does not help, look at its log, `GET /healthz`, and proxies before it.",
    )


def rejection(response: httpx.Response, connection: Connection) -> CommandFailed:
    """The error of an answer that is not a success."""
    try:
        document = msgspec.json.decode(response.content, type=dict[str, object])
        problem = msgspec.convert(_OPTIONAL | document, Problem)
    except msgspec.MsgspecError:
        return _not_from_gateway(response.status_code, connection)
    message = f"{problem.code}: {_in_options(problem.detail + _field_lines(problem))}"
    if response.status_code in {429, 503}:
        return Unavailable(message, _advice(problem, connection), problem=document)
    return Rejected(problem.code, message, _advice(problem, connection), document)


def _in_options(text: str) -> str:
    """The text with the option of each parameter: `?errorCode:` is `--error-code:`."""
    return _PARAMETER.sub(lambda found: f"--{_option(found[1])}:", text)


def _option(parameter: str) -> str:
    return _SHORTER.get(parameter) or _CAPITAL.sub(lambda found: f"-{found[0].lower()}", parameter)


def _not_from_gateway(status: int, connection: Connection) -> CommandFailed:
    if status in {502, 503, 504}:
        return Unavailable(
            f"HTTP {status} from something before the gateway.",
            "Check that the gateway runs, and that its `GET /readyz` is 200: a proxy, a tunnel or "
            "a load balancer answers for it.",
        )
    return CommandFailed(
        f"HTTP {status}, and not in the form of a slipgate gateway.",
        f"Check {connection.url_from}: something else answers there.",
    )


def _field_lines(problem: Problem) -> str:
    """A line for each wrong field, unless the detail names the only one."""
    errors = problem.errors or ()
    if len(errors) == 1 and errors[0].message in problem.detail:
        return ""
    return "".join(f"\n  {error.path}: {error.message}" for error in errors)


def _advice(problem: Problem, connection: Connection) -> str:
    if problem.detail == _NO_ROUTE:
        return f"Check {connection.url_from}: it ends behind the port; or compare versions."
    if problem.code == "unauthorized":
        return (
            f"{connection.key_from} is no key of this gateway, or it was revoked: {CREATE_KEY} "
            "makes one beside its database."
        )
    if problem.status >= 500 and problem.code not in _ADVICE:
        return f"Report this bug in slipgate: its log has more under request {problem.request_id}."
    advice = _ADVICE.get(problem.code) or problem.hint
    return advice or "Run `slipgate tasks explain` to see the state of a task."
