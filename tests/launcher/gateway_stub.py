"""A gateway over real HTTP that offers the jobs of a test and records the reports."""

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.wire.github_tokens import TokenAnswer, TokenRequest, TokenRequests
from gateway.wire.launcher import (
    Acknowledged,
    Claim,
    Created,
    Delegate,
    Done,
    Ended,
    Failed,
    Job,
    Jobs,
    Lease,
    MayTry,
    Renewed,
    RescuedPiece,
    Trying,
)

Report = Lease | Trying | Created | Done | Failed | Delegate | RescuedPiece
TYPES: dict[str, type[Report]] = {
    "renew": Lease,
    "trying": Trying,
    "created": Created,
    "done": Done,
    "failed": Failed,
    "delegate": Delegate,
    "patch": RescuedPiece,
}
LATER = "2026-09-21T14:13:20.123Z"
KEY = "slip_launcher_test"


@dataclass
class StubGateway:
    """State that the test and the server's thread share."""

    port: int = 0
    offers: list[Job] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    reports: list[tuple[str, str, Report]] = field(default_factory=list)
    """(job, verb, body), in order."""
    ended: list[Ended] = field(default_factory=list)
    token_requests: list[TokenRequest] = field(default_factory=list)
    token_answers: dict[str, TokenAnswer] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    """Verbs that are answered with `lease_lost`."""
    garbled: set[str] = field(default_factory=set)
    """Verbs whose answer a proxy spoils once."""
    mute: set[str] = field(default_factory=set)
    """Verbs that are answered with 503 while they are in this set."""
    cancel: bool = False
    may_create: bool = True
    create_seconds: int = 30
    refused_key: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def verbs(self, job: str | None = None) -> list[str]:
        """Verbs of the calls, without renewals."""
        return [verb for at, verb, _ in self.reports if verb != "renew" and job in (None, at)]

    def count(self, verb: str) -> int:
        return Counter(each for _, each, _ in self.reports)[verb]

    def done(self) -> Done:
        reports = [report for _, _, report in self.reports if isinstance(report, Done)]
        return reports[-1]

    def failed(self) -> Failed:
        reports = [report for _, _, report in self.reports if isinstance(report, Failed)]
        return reports[-1]

    async def claim(self, request: Request) -> Response:
        if self.refused_key or request.headers["authorization"] != f"Bearer {KEY}":
            return _problem(401, "unauthorized")
        claim = msgspec.json.decode(await request.body(), type=Claim)
        self.claims.append(claim)
        give_up = time.monotonic() + claim.wait_seconds
        while not self.offers and time.monotonic() < give_up:
            if await request.is_disconnected():
                return _answer(Jobs(jobs=()))
            await asyncio.sleep(0.01)
        jobs = tuple(self.offers)
        self.offers.clear()
        return _answer(Jobs(jobs=jobs))

    async def offer_tokens(self, request: Request) -> Response:
        if not self.token_requests:
            await asyncio.sleep(0.05)  # as one that waited
        requests = tuple(self.token_requests)
        self.token_requests.clear()
        return _answer(TokenRequests(requests=requests))

    async def take_token(self, request: Request) -> Response:
        answer = msgspec.json.decode(await request.body(), type=TokenAnswer)
        self.token_answers[request.path_params["id"]] = answer
        return _answer(Acknowledged())

    async def report_ended(self, request: Request) -> Response:
        self.ended.append(msgspec.json.decode(await request.body(), type=Ended))
        return _problem(503, "unavailable") if "ended" in self.mute else _answer(Acknowledged())

    async def report(self, request: Request) -> Response:
        job, verb = request.path_params["job"], request.path_params["verb"]
        report = msgspec.json.decode(await request.body(), type=TYPES[verb])
        self.reports.append((job, verb, report))
        if verb in self.garbled:
            self.garbled.remove(verb)
            return Response(b"no gzip", headers={"content-encoding": "gzip"})
        if verb in self.mute:
            return _problem(503, "unavailable")
        if verb in self.lost:
            return _problem(409, "lease_lost")
        if verb == "renew":
            return _answer(Renewed(lease_expires_at=LATER, cancel=self.cancel))
        if verb == "trying":
            return _answer(
                MayTry(
                    create_before=LATER, create_seconds=self.create_seconds, create=self.may_create
                )
            )
        return _answer(Acknowledged())


@contextmanager
def serving(gateway: StubGateway) -> Iterator[StubGateway]:
    """The stub on a real port, in a thread of its own."""
    app = Starlette(
        routes=[
            Route("/v1/launcher/claim", gateway.claim, methods=["POST"]),
            Route("/v1/launcher/token-requests", gateway.offer_tokens, methods=["POST"]),
            Route("/v1/launcher/token-requests/{id}", gateway.take_token, methods=["POST"]),
            Route("/v1/launcher/ended", gateway.report_ended, methods=["POST"]),
            Route("/v1/launcher/jobs/{job}/{verb}", gateway.report, methods=["POST"]),
        ]
    )
    listener = socket.create_server(("127.0.0.1", gateway.port))
    gateway.port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield gateway
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()


def _answer(reply: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(reply), media_type="application/json")


def _problem(status: int, code: str) -> Response:
    body = msgspec.json.encode({"code": code, "detail": "sent by the stub"})
    return Response(body, status_code=status, media_type="application/problem+json")
