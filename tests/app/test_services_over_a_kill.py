"""A gateway that is killed after it took a webhook and before its sender heard so took it once."""

import asyncio
from pathlib import Path
from typing import Final

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from gateway.cli.local.processes import wait_until_ready
from tests.app.processes import gateway_process
from tests.e2e.proxy import Boundary, Moment, Proxy
from tests.stores import NewDatabase
from tests.web.callers import Agent, GatewayHarness, add_keys
from tests.web.contract import Contract
from tests.web.services import (
    DAYTONA_SECRETS,
    GITHUB_SECRETS,
    PULL,
    Daytona,
    GitHub,
    changed,
    closed,
    launch_in_daytona,
)

SECRETS: Final = {
    "SLIPGATE_DAYTONA_WEBHOOK_SECRETS": DAYTONA_SECRETS,
    "SLIPGATE_GITHUB_WEBHOOK_SECRETS": GITHUB_SECRETS,
}
DUPLICATE: Final = {"accepted": True, "applied": True, "duplicate": True}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("source", [Daytona, GitHub], ids=["daytona", "github"])
async def test_what_is_sent_again_after_a_kill_is_known(
    tmp_path: Path, database: NewDatabase, source: type[Daytona] | type[GitHub]
) -> None:
    with gateway_process(tmp_path, SECRETS, database=database, is_public=True) as (
        child,
        url,
        environ,
    ):
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
            gateway = GatewayHarness(_nowhere, http, add_keys(database), Contract())
            job = await launch_in_daytona(gateway)
            agent = Agent(http=http, env=job["env"])
            assert (await agent.emit("task.pr_created", "m1", prUrl=PULL)).is_success
            body = closed() if source is GitHub else changed(job["sandbox"]["id"], "stopped")
            held = Boundary(
                message=f"/v1/webhooks/{source.__name__.lower()}", moment=Moment.ANSWERED
            )
            proxy = Proxy(int(environ["SLIPGATE_PORT"]))
            async with proxy.serving(), httpx.AsyncClient(base_url=proxy.url, timeout=60) as beyond:
                proxy.hold(held)
                sending = asyncio.ensure_future(source(http=beyond).send(body, "msg_1"))
                await proxy.reached(held)
                child.kill()
                proxy.release()
                with pytest.raises(httpx.TransportError):
                    await sending
            child.start()
            wait_until_ready(url, child)
            again = await source(http=http).send(body, "msg_1")
            assert (again.status_code, again.json()) == (200, DUPLICATE)
            assert await _effects(gateway, job["taskId"]) == 1


async def _effects(gateway: GatewayHarness, task_id: str) -> int:
    """Looks that are asked for, and pull requests that were told to be closed."""
    jobs = await gateway.claim(providers=["daytona-api@org"], capacity=0)
    events = (await gateway.get(f"/v1/tasks/{task_id}/events")).json()["data"]
    told = [event for event in events if event["type"] == "task.pr_closed"]
    return len(jobs) + len(told)


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """The gateway is another process."""
