"""The gateway as the launcher sees it: typed calls that outlast a short absence of it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import httpx
import msgspec
from structlog.typing import FilteringBoundLogger

from gateway.wire.gateway import GatewayView
from gateway.wire.launcher import (
    Acknowledged,
    Claim,
    Created,
    Delegate,
    Done,
    Ended,
    EndedSandbox,
    Failed,
    Job,
    Jobs,
    LaunchError,
    Lease,
    MayTry,
    Process,
    Renewed,
    RescuedPiece,
    Sandbox,
    Spooled,
    SweptSandbox,
    Trying,
)
from gateway.wire.message import Request
from gateway.wire.truncation import head_and_tail
from launcher.contact import ConnectionLog
from launcher.egress import DIRECT, Egress

Reply = TypeVar("Reply")
Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]
"""Seconds on a monotonic clock."""

PATH = "/v1/launcher"
RETRY_SECONDS = 600.0
"""How long one call is repeated: a report must outlast a restart of the gateway."""
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
CALL_SECONDS = 15.0
NOTE_LENGTH = 2_000


class LeaseLost(Exception):
    """Somebody else holds the job now: stop, and destroy nothing."""


class GatewayUnreachable(Exception):
    """The gateway did not answer within our patience."""


class GatewayRejected(Exception):
    """The gateway understood and said no; the same call would be refused again."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What matters of a problem document, from the gateway or from a proxy before it."""

    code: str = "unknown"
    detail: str = ""


class Client:
    """Calls of the launcher protocol; `http` brings address and key."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        log: FilteringBoundLogger,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._http = http
        self._connection = ConnectionLog(log, clock)
        self._sleep = sleep
        self._clock = clock
        self._patience = retry_seconds

    async def gateway(self) -> GatewayView:
        """What the gateway says of itself."""
        return await self._repeat(lambda: self._http.get(PATH, timeout=CALL_SECONDS), GatewayView)

    async def claim(self, claim: Claim) -> tuple[Job, ...]:
        """Work for us; waits up to `claim.wait_seconds` for it."""
        reply = await self._call("claim", claim, Jobs, wait=claim.wait_seconds)
        return reply.jobs

    async def renew(self, job: Job) -> Renewed:
        """Holds the lease for another `lease_seconds`."""
        return await self._report(job, "renew", Lease(lease_token=job.lease_token), Renewed)

    async def trying(
        self,
        job: Job,
        *,
        provider: str,
        realm: str,
        name: str,
        number: int,
        note: str | None = None,
    ) -> MayTry:
        """Says before a create call that there will be one."""
        words = Trying(
            lease_token=job.lease_token,
            provider=provider,
            realm=realm,
            name=name,
            try_=number,
            note=note and head_and_tail(note, NOTE_LENGTH),
        )
        return await self._report(job, "trying", words, MayTry)

    async def created(self, job: Job, sandbox: Sandbox) -> None:
        """The provider has named an id."""
        words = Created(lease_token=job.lease_token, sandbox=sandbox)
        await self._report(job, "created", words, Acknowledged)

    async def done(
        self,
        job: Job,
        *,
        sandbox: Sandbox | None = None,
        sandboxes: tuple[SweptSandbox, ...] | None = None,
        process: Process | None = None,
        spool: tuple[Spooled, ...] = (),
        spool_offset: int | None = None,
        diagnosis: str | None = None,
    ) -> None:
        """The job is over."""
        words = Done(
            lease_token=job.lease_token,
            sandbox=sandbox,
            sandboxes=sandboxes,
            process=process,
            spool=spool,
            spool_offset=spool_offset,
            diagnosis=diagnosis,
        )
        await self._report(job, "done", words, Acknowledged)

    async def failed(self, job: Job, error: LaunchError) -> None:
        """The job could not be done."""
        words = Failed(lease_token=job.lease_token, error=error)
        await self._report(job, "failed", words, Acknowledged)

    async def delegate(self, job: Job, *, until: datetime, note: str) -> None:
        """Another launcher was asked to start and claims the job by its id, until that moment."""
        words = Delegate(lease_token=job.lease_token, until=until, note=note)
        await self._report(job, "delegate", words, Acknowledged)

    async def ended(self, launcher_id: str, sandboxes: tuple[EndedSandbox, ...]) -> None:
        """Processes that we hold have ended."""
        await self._call("ended", Ended(launcher_id=launcher_id, sandboxes=sandboxes), Acknowledged)

    async def rescued(self, job: Job, piece: RescuedPiece) -> None:
        """A piece of what an agent left in the sandbox of a destroy job."""
        await self._report(job, "patch", piece, Acknowledged)

    async def _report(self, job: Job, verb: str, words: Request, answer: type[Reply]) -> Reply:
        return await self._call(f"jobs/{job.id}/{verb}", words, answer)

    async def _call(
        self, path: str, words: Request, answer: type[Reply], *, wait: float = 0
    ) -> Reply:
        """One call; every one of the protocol may be repeated."""
        body = msgspec.json.encode(words)
        return await self._repeat(
            lambda: self._http.post(f"{PATH}/{path}", content=body, timeout=CALL_SECONDS + wait),
            answer,
            path,
        )

    async def _repeat(
        self, send: Callable[[], Awaitable[httpx.Response]], answer: type[Reply], what: str = PATH
    ) -> Reply:
        """Until it is answered."""
        deadline = self._clock() + self._patience
        pause = FIRST_PAUSE_SECONDS
        while True:
            response = await _send_once(send)
            if isinstance(response, httpx.Response) and not _is_transient(response):
                self._connection.answered()
                return _read(response, answer)
            self._connection.failed(what, _reason(response))
            if self._clock() + pause > deadline:
                raise GatewayUnreachable(f"{what}: {_reason(response)}")
            await self._sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads calls
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


async def _send_once(
    send: Callable[[], Awaitable[httpx.Response]],
) -> httpx.Response | httpx.TransportError:
    try:
        return await send()
    except httpx.TransportError as error:
        return error


def open_http(url: str, api_key: str, *, egress: Egress = DIRECT) -> httpx.AsyncClient:
    """The connection to the gateway; no proxy of the environment sees the key."""
    headers = {"authorization": f"Bearer {api_key}", "content-type": "application/json"}
    return egress.to_gateway(url, headers=headers)


def _is_transient(response: httpx.Response) -> bool:
    """Whether the refusal speaks of the moment and not of the call."""
    return response.status_code in (429, 502, 503, 504)


def _reason(failure: httpx.Response | httpx.TransportError) -> str:
    if isinstance(failure, httpx.Response):
        return f"HTTP {failure.status_code}"
    return type(failure).__name__


def _read(response: httpx.Response, answer: type[Reply]) -> Reply:
    if response.is_success:
        try:
            return msgspec.json.decode(response.content, type=answer)
        except msgspec.DecodeError as error:
            raise GatewayRejected(response.status_code, "invalid_reply", str(error)) from error
    problem = _problem(response.content)
    if response.status_code == 409 and problem.code == "lease_lost":
        raise LeaseLost(problem.detail)
    raise GatewayRejected(response.status_code, problem.code, problem.detail)


def _problem(body: bytes) -> _Problem:
    try:
        return msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        return _Problem()
