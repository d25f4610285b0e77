"""Daytona and GitHub as they call a gateway, with the secrets it was given."""

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final

import httpx
import msgspec

from gateway.wire.signing import secret_text, sign
from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, open_gateway

SVIX: Final = b"s" * 32
OLD_SVIX: Final = b"o" * 32
HUB: Final = b"a secret of GitHub"
DAYTONA_SECRETS: Final = f"{secret_text(SVIX)},{secret_text(OLD_SVIX)}"
GITHUB_SECRETS: Final = HUB.decode()
PULL: Final = "https://github.com/acme/widgets/pull/12"
FOLLOW_UP_LIMIT: Final = 2
_NUMBERS: Final = count(1)


@dataclass(frozen=True, kw_only=True)
class Daytona:
    """Sends events about sandboxes."""

    http: httpx.AsyncClient
    secret: bytes = SVIX

    async def notify(self, sandbox: str, state: str, **more: object) -> httpx.Response:
        """That a sandbox has changed its state."""
        return await self.send(changed(sandbox, state, **more))

    async def send(
        self, body: bytes, name: str | None = None, *, prefix: str = "svix", at: int | None = None
    ) -> httpx.Response:
        """A body, signed; `at` in Unix seconds."""
        name = name or f"msg_{next(_NUMBERS)}"
        moment = int(time.time()) if at is None else at
        headers = {
            f"{prefix}-id": name,
            f"{prefix}-timestamp": str(moment),
            f"{prefix}-signature": sign(self.secret, name, moment, body),
        }
        return await self.http.post("/v1/webhooks/daytona", content=body, headers=headers)


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """Sends events of a repository."""

    http: httpx.AsyncClient
    secret: bytes = HUB

    async def close(self, url: str = PULL, **fields: object) -> httpx.Response:
        """That a pull request was closed."""
        return await self.send(closed(url, **fields))

    async def send(
        self,
        body: bytes,
        name: str | None = None,
        *,
        event: str = "pull_request",
        media_type: str = "application/json",
    ) -> httpx.Response:
        """A body, signed."""
        headers = {
            "X-GitHub-Delivery": name or f"72d3162e-cc78-11e3-81ab-{next(_NUMBERS):012x}",
            "X-GitHub-Event": event,
            "X-Hub-Signature-256": hub_signature(self.secret, body),
            "content-type": media_type,
        }
        return await self.http.post("/v1/webhooks/github", content=body, headers=headers)


def hub_signature(secret: bytes, body: bytes) -> str:
    """As GitHub makes it."""
    return f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"


def changed(sandbox: str, state: str, **more: object) -> bytes:
    """The body of `sandbox.state.updated`."""
    return msgspec.json.encode(
        {
            "event": "sandbox.state.updated",
            "timestamp": f"2026-01-05T09:32:10.{next(_NUMBERS):03d}Z",
            "id": sandbox,
            "organizationId": "org",
            "oldState": "started",
            "newState": state,
            **more,
        }
    )


def closed(url: str = PULL, **fields: object) -> bytes:
    """The body of `pull_request`, closed now."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    pull = {"html_url": url, "merged": False, "closed_at": at, "id": next(_NUMBERS), **fields}
    return msgspec.json.encode(
        {"action": "closed", "pull_request": pull, "sender": {"login": "octocat"}}
    )


def failed_check(url: str = PULL) -> bytes:
    """The body of `check_run`, failed now on the pull request's own branch."""
    sides = {side: {"ref": "main", "repo": {"id": 1}} for side in ("base", "head")}
    repository = url.rpartition("/pull/")[0]
    run = {
        "name": "ci",
        "head_sha": "5f1c",
        "conclusion": "failure",
        "completed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "pull_requests": [{"number": int(url.rpartition("/")[2]), **sides}],
    }
    return msgspec.json.encode(
        {
            "action": "completed",
            "check_run": run,
            "repository": {"html_url": repository, "id": 1},
        }
    )


@asynccontextmanager
async def open_gateway_with_services(
    database: NewDatabase,
    receivers: httpx.AsyncBaseTransport | None = None,
    *,
    follow_ups: str = "",
    allowed_repos: str = "",
) -> AsyncIterator[GatewayHarness]:
    """A gateway that hears of Daytona and GitHub."""
    async with open_gateway(
        database,
        receivers=receivers,
        SLIPGATE_DAYTONA_WEBHOOK_SECRETS=DAYTONA_SECRETS,
        SLIPGATE_GITHUB_WEBHOOK_SECRETS=GITHUB_SECRETS,
        SLIPGATE_GITHUB_FOLLOW_UPS=follow_ups,
        SLIPGATE_GITHUB_FOLLOW_UP_LIMIT=str(FOLLOW_UP_LIMIT),
        SLIPGATE_ALLOWED_REPOS=allowed_repos,
    ) as gateway:
        yield gateway


async def launch_in_daytona(gateway: GatewayHarness, **wanted: object) -> Json:
    """The create job of a task whose sandbox is up in Daytona, as `sandbox-1`, `sandbox-2`, …"""
    task = await gateway.create(**wanted)
    jobs = await gateway.claim(providers=["daytona-api@org"], capacity=200)
    (job,) = [job for job in jobs if job.get("taskId") == task["id"] and job["kind"] == "create"]
    place = {"provider": "daytona-api", "realm": "org", "name": job["sandbox"]["name"]}
    assert (await gateway.report(job, "trying", **place, **{"try": 1})).is_success
    sandbox = {**place, "id": f"sandbox-{next(_NUMBERS)}", "state": "started"}
    assert (await gateway.report(job, "done", sandbox=sandbox)).is_success
    return {**job, "sandbox": sandbox}
