"""Typed calls of the launcher protocol that are repeated while the gateway is away."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeVar

import httpx
import msgspec
from structlog.typing import FilteringBoundLogger

from gateway.wire.github_tokens import TokenAnswer, TokenRequest, TokenRequests, WantedTokens
from gateway.wire.launcher import (
    Acknowledged,
    Claim,
    Created,
    Delegate,
    Done,
    Ended,
    Failed,
    GatewayView,
    Job,
    Jobs,
    Lease,
    MayTry,
    Renewed,
    RescuedPiece,
    Trying,
)
from gateway.wire.message import Request
from launcher.egress import DIRECT, Egress

Reply = TypeVar("Reply")
Sleep = Callable[[float], Coroutine[Any, Any, None]]
Clock = Callable[[], float]
"""Seconds on a monotonic clock."""

PATH: Final = "/v1/launcher"
RETRY_SECONDS: Final = 600.0
"""Limit of the repetition of a call: a report must outlast a restart of the gateway."""
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0
CALL_SECONDS: Final = 15.0
NOTE_LENGTH: Final = 2_000
TRANSIENT: Final = (429, 502, 503, 504)
"""Statuses of a gateway, or of a proxy before it, that may take the same call later."""
REPORTS: Mapping[type[Request], str] = MappingProxyType(
    {
        Created: "created",
        Done: "done",
        Failed: "failed",
        Delegate: "delegate",
        RescuedPiece: "patch",
    }
)
"""Report → its path."""


class LeaseLost(Exception):
    """Another launcher holds the job now: stop, and destroy nothing."""


class GatewayUnreachable(Exception):
    """The gateway did not answer within `RETRY_SECONDS`."""


class GatewayRejected(Exception):
    """The gateway rejected a call, and would reject it again."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a problem document that is used; a proxy may have sent it."""

    code: str = "unknown"
    detail: str = ""


@dataclass(slots=True)
class Client:
    """Every call raises `GatewayRejected`, `GatewayUnreachable` and, for a job, `LeaseLost`."""

    http: httpx.AsyncClient
    _: KW_ONLY
    log: FilteringBoundLogger
    sleep: Sleep = asyncio.sleep
    clock: Clock = time.monotonic
    retry_seconds: float = RETRY_SECONDS
    _lost_at: float | None = field(default=None, init=False)

    async def gateway(self) -> GatewayView:
        return await self._repeat(lambda: self.http.get(PATH, timeout=CALL_SECONDS), GatewayView)

    async def claim(self, claim: Claim) -> tuple[Job, ...]:
        """Jobs for this launcher; waits up to `claim.wait_seconds` for them."""
        return (await self._post("claim", claim, Jobs, wait=claim.wait_seconds)).jobs

    async def renew(self, job: Job) -> Renewed:
        """Extends the lease by `lease_seconds`."""
        lease = Lease(lease_token=job.lease_token)
        return await self._post(f"jobs/{job.id}/renew", lease, Renewed)

    async def trying(self, job: Job, trying: Trying) -> MayTry:
        """Announces a create call."""
        return await self._post(f"jobs/{job.id}/trying", trying, MayTry)

    async def report(self, job: Job, report: Request) -> None:
        """Sends one of `REPORTS`."""
        await self._post(f"jobs/{job.id}/{REPORTS[type(report)]}", report, Acknowledged)

    async def ended(self, ended: Ended) -> None:
        await self._post("ended", ended, Acknowledged)

    async def token_requests(self, wanted: WantedTokens) -> tuple[TokenRequest, ...]:
        """Requests of agents for a new GitHub token; waits up to `wanted.wait_seconds`."""
        path, wait = "token-requests", wanted.wait_seconds
        return (await self._post(path, wanted, TokenRequests, wait=wait)).requests

    async def answer_token(self, request_id: str, answer: TokenAnswer) -> None:
        await self._post(f"token-requests/{request_id}", answer, Acknowledged)

    async def _post(
        self, path: str, body: Request, reply: type[Reply], *, wait: float = 0
    ) -> Reply:
        content, timeout = msgspec.json.encode(body), CALL_SECONDS + wait
        return await self._repeat(
            lambda: self.http.post(f"{PATH}/{path}", content=content, timeout=timeout), reply, path
        )

    async def _repeat(
        self, send: Callable[[], Awaitable[httpx.Response]], reply: type[Reply], call: str = PATH
    ) -> Reply:
        """Sends until there is an answer; every call of the protocol may be repeated."""
        deadline = self.clock() + self.retry_seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            response = await _send_once(send)
            if isinstance(response, httpx.Response) and response.status_code not in TRANSIENT:
                self._log_answered()
                return _read(response, reply)
            self._log_unanswered(call, _reason(response))
            if self.clock() + pause > deadline:
                raise GatewayUnreachable(f"{call}: {_reason(response)}")
            await self.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads calls
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _log_unanswered(self, call: str, reason: str) -> None:
        if self._lost_at is None:
            self._lost_at = self.clock()
            self.log.warning("gateway.lost", call=call, reason=reason)

    def _log_answered(self) -> None:
        if self._lost_at is not None:
            seconds = round(self.clock() - self._lost_at, 3)
            self._lost_at = None
            self.log.info("gateway.back", seconds=seconds)


async def _send_once(
    send: Callable[[], Awaitable[httpx.Response]],
) -> httpx.Response | httpx.RequestError:
    """The error also of an answer that cannot be decompressed: a proxy has cut it."""
    try:
        return await send()
    except httpx.RequestError as error:
        return error


def open_http(url: str, api_key: str, *, egress: Egress = DIRECT) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {api_key}", "content-type": "application/json"}
    return egress.to_gateway(url, headers=headers)


def _reason(failure: httpx.Response | httpx.RequestError) -> str:
    if isinstance(failure, httpx.Response):
        return f"HTTP {failure.status_code}"
    return type(failure).__name__


def _read(response: httpx.Response, reply: type[Reply]) -> Reply:
    if response.is_success:
        try:
            return msgspec.json.decode(response.content, type=reply)
        except msgspec.DecodeError as error:
            raise GatewayRejected(response.status_code, "invalid_reply", str(error)) from error
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    if response.status_code == 409 and problem.code == "lease_lost":
        raise LeaseLost(problem.detail)
    raise GatewayRejected(response.status_code, problem.code, problem.detail)
