"""Errors: one class for each code of the API, below `ApiError`.

A class is found by its name: `already_finished` is `AlreadyFinished`. A code of a later version,
which has none here, is an `ApiError` with that `code`.
"""

import re
from typing import ClassVar, Final

from gateway.wire.problem import Problem

_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


class SlipgateError(Exception):
    """Everything that this client raises."""


class NotConfigured(SlipgateError):
    """There is no API key: neither an argument nor `SLIPGATE_API_KEY`."""


class ConnectionFailed(SlipgateError):
    """The gateway gave no answer, or something before it answered in its place. A change may have
    been made, if its request had been sent."""


class UnexpectedAnswer(SlipgateError):
    """The answer is not one of a slipgate gateway of this version: compare address and versions."""


class WaitTimeout(SlipgateError):
    """The task had not ended in the time that was given to `wait_for`; it goes on."""


class WebhookRejected(SlipgateError):
    """The webhook is not authentic, or too old: answer 401, and do nothing else with it."""


class ApiError(SlipgateError):
    """The gateway refused the request; `problem` is its answer."""

    classes: ClassVar[dict[str, type["ApiError"]]] = {}
    """By code."""

    def __init_subclass__(cls) -> None:
        ApiError.classes[_CAPITAL.sub("_", cls.__name__).lower()] = cls

    def __init__(self, problem: Problem) -> None:
        fields = "".join(
            f"\n  {error.path}: {error.message}"
            for error in problem.errors or ()
            if error.message not in problem.detail
        )
        hint = f" {problem.hint}" if problem.hint else ""
        super().__init__(f"{problem.status} {problem.code}: {problem.detail}{hint}{fields}")
        self.problem = problem

    @property
    def code(self) -> str:
        return self.problem.code

    @property
    def status(self) -> int:
        """Of HTTP."""
        return self.problem.status

    @property
    def request_id(self) -> str:
        """To be quoted in a report: it stands in the gateway's log."""
        return self.problem.request_id


def error_of(problem: Problem) -> ApiError:
    """The error of a refusal, of the class of its code."""
    return ApiError.classes.get(problem.code, ApiError)(problem)


class InvalidHttp(ApiError):
    """400: These bytes are no request of HTTP/1.1."""


class InvalidJson(ApiError):
    """400: The body is not valid JSON in UTF-8."""


class InvalidCursor(ApiError):
    """400: This cursor was not made here."""


class InvalidIdempotencyKey(ApiError):
    """400: An Idempotency-Key has 1 to 255 printable ASCII characters."""


class Unauthorized(ApiError):
    """401: There is no valid API key in the Authorization header."""


class KeyExpired(ApiError):
    """401: The API key's `expiresAt` is over: use another key."""


class InvalidToken(ApiError):
    """401: The stream token is not one for this task."""


class TokenExpired(ApiError):
    """401: The stream token has expired: get a new one."""


class MalformedHeaders(ApiError):
    """401: The webhook headers are missing or not in the standard's form."""


class TimestampOutOfTolerance(ApiError):
    """401: What was signed is too old, or from the future: see our clock."""


class InvalidSignature(ApiError):
    """401: The signature, or the token of the URL, does not match."""


class Forbidden(ApiError):
    """403: The key's scope may not do this."""


class LauncherRevoked(ApiError):
    """403: Ops have revoked this launcher."""


class NotFound(ApiError):
    """404: There is no such thing, or it belongs to another project."""


class UnknownTask(ApiError):
    """404: There is no such task and attempt."""


class UnknownJob(ApiError):
    """404: There is no such job."""


class NoTrajectory(ApiError):
    """404: The agent has sent no record of its turns, or not all of it."""


class NoGithubApp(ApiError):
    """404: No launcher with a GitHub App makes a token for this repository."""


class NoPatch(ApiError):
    """404: No attempt of this task has sent a patch."""


class RequestTimeout(ApiError):
    """408: The request did not come whole in time: 10 s for its head, 60 s for its body."""


class MethodNotAllowed(ApiError):
    """405: The route does not take this method; `Allow` names those it takes."""


class AlreadyFinished(ApiError):
    """409: The task, or the bulk action, has already ended."""


class NotFinished(ApiError):
    """409: The task has not ended yet."""


class EnvExpired(ApiError):
    """409: The task's environment has been erased: it cannot be tried again."""


class SandboxAlive(ApiError):
    """409: A sandbox of the task may be alive, and could send more."""


class PatchIncomplete(ApiError):
    """409: A part of the patch has not arrived."""


class LeaseLost(ApiError):
    """409: The lease token is not the job's: somebody else holds it now."""


class LauncherIdTaken(ApiError):
    """409: Another key uses this `launcherId`, and its launcher lives."""


class RealmMismatch(ApiError):
    """409: The sandbox of this attempt belongs to another realm."""


class ProviderMismatch(ApiError):
    """409: The launcher did not claim with this provider and realm."""


class SandboxMismatch(ApiError):
    """409: The sandbox has another name than the job's."""


class WebhookIdReused(ApiError):
    """409: Another body was sent under this webhook-id."""


class StaleAttempt(ApiError):
    """409: A newer attempt has begun."""


class EventIdReused(ApiError):
    """409: Another event was posted under this `eventId`."""


class ImplicitEndpoint(ApiError):
    """409: It stands for the callbacks of tasks, which bring their address."""


class LastOpsKey(ApiError):
    """409: It is the last living key of scope ops, and would revoke itself."""


class EndpointDisabled(ApiError):
    """409: The endpoint is disabled: its events are held."""


class TooManyEndpoints(ApiError):
    """409: Each event of a customer goes to all of its endpoints."""


class TooManySecrets(ApiError):
    """409: Each live secret makes the signature longer; retire some."""


class AttemptFinished(ApiError):
    """410: The attempt has ended; stop."""


class TaskPurged(ApiError):
    """410: The contents of the task were purged; its states are kept."""


class CursorExpired(ApiError):
    """410: Events behind this number have been deleted: something would be missing."""


class TooLarge(ApiError):
    """413: The body is larger than the limit of this route."""


class PatchTooLarge(ApiError):
    """413: The patch is longer than 100 MiB, or its attempt keeps 192 MiB already."""


class UriTooLong(ApiError):
    """414: The request line is longer than 64 KiB."""


class UnsupportedMediaType(ApiError):
    """415: The body is not called application/json."""


class InvalidRequest(ApiError):
    """422: The request has the wrong shape; `errors` names each wrong path."""


class SchemaMismatch(ApiError):
    """422: `data` does not match the schema of its event type."""


class InvalidSchema(ApiError):
    """422: The schema is no JSON Schema 2020-12, or more than is taken."""


class ReservedEventType(ApiError):
    """422: The first word of the type is one of ours."""


class UnknownEventType(ApiError):
    """422: No event has this type."""


class IdempotencyMismatch(ApiError):
    """422: This Idempotency-Key was used for another request."""


class TooManyTasks(ApiError):
    """422: The filter matches too many tasks: narrow it."""


class ReservedEnv(ApiError):
    """422: `env` names a variable that the gateway computes or that is not safe."""


class RepoNotAllowed(ApiError):
    """422: This installation does not work on that repository."""


class LauncherTooOld(ApiError):
    """426: The launcher is more than one minor version behind the gateway."""


class RateLimited(ApiError):
    """429: The key has a rate limit, and this request is above it."""


class TooManyOpen(ApiError):
    """429: Too many requests of this key, project or attempt are open at once."""


class HeadersTooLarge(ApiError):
    """431: The request line and the headers have more than 64 KiB."""


class Internal(ApiError):
    """500: Internal error. Quote the request id when you report it."""


class LaunchFailed(ApiError):
    """502: The sandbox could not be made; `detail` has the provider's reason."""


class Unavailable(ApiError):
    """503: Nothing can be committed just now; nothing was stored."""


class ReadOnly(ApiError):
    """503: The disk takes no writes; reads are answered, and nothing was stored."""


class IntakePaused(ApiError):
    """503: Ops have paused the intake of new tasks; nothing was stored."""


class DatabaseReplaced(ApiError):
    """503: The database was changed under the gateway, which has to be restarted."""
