"""Calls to a gateway that is away, busy, or rejects them."""

import asyncio
import socket

import pytest

from gateway.wire.launcher import Claim, Done
from launcher.client import Client, GatewayRejected, GatewayUnreachable, LeaseLost, open_http
from tests.launcher.conditions import until
from tests.launcher.gateway_stub import KEY, StubGateway, serving
from tests.launcher.jobs import a_job
from tests.launcher.lines import LOG, Lines

DONE = Done(lease_token=a_job("inspect").lease_token)


async def test_a_report_is_repeated_until_the_gateway_can_commit(
    gateway: StubGateway, client: Client
) -> None:
    gateway.mute = {"done"}

    async def recover() -> None:
        await until(lambda: gateway.count("done") >= 2, "a second call")
        gateway.mute = set()

    await asyncio.gather(client.report(a_job("inspect"), DONE), recover())
    assert gateway.count("done") >= 3


async def test_a_report_outlasts_a_gateway_that_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    pauses: list[float] = []
    gateway = StubGateway(port=port)
    stub = serving(gateway)

    async def come_back(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            stub.__enter__()

    lines = Lines()
    async with open_http(gateway.url, KEY) as http:
        try:
            await Client(http, log=lines.log, sleep=come_back).report(a_job("inspect"), DONE)
        finally:
            stub.__exit__(None, None, None)
    assert pauses == sorted(pauses)
    assert gateway.verbs() == ["done"]
    (lost,), (back,) = lines.of("gateway.lost"), lines.of("gateway.back")
    assert (lost["log_level"], lost["reason"]) == ("warning", "ConnectError")
    assert lost["call"] == "jobs/job_inspect/done"
    assert back["seconds"] >= 0


async def test_a_call_whose_answer_cannot_be_decompressed_is_repeated(
    gateway: StubGateway, client: Client
) -> None:
    gateway.garbled = {"done"}
    await client.report(a_job("inspect"), DONE)
    assert gateway.count("done") == 2


async def test_a_call_fails_after_its_retry_time(gateway: StubGateway) -> None:
    gateway.mute = {"renew"}

    async def at_once(_: float) -> None: ...

    async with open_http(gateway.url, KEY) as http:
        client = Client(http, log=LOG, sleep=at_once, retry_seconds=0.3)
        with pytest.raises(GatewayUnreachable, match="HTTP 503"):
            await client.renew(a_job("create"))


async def test_a_lost_lease_is_an_error_of_its_own(gateway: StubGateway, client: Client) -> None:
    gateway.lost = {"renew"}
    with pytest.raises(LeaseLost):
        await client.renew(a_job("create"))


async def test_a_refusal_is_not_repeated(gateway: StubGateway) -> None:
    async with open_http(gateway.url, "wrong") as http:
        with pytest.raises(GatewayRejected) as raised:
            await Client(http, log=LOG).claim(
                Claim(launcher_id="l", providers=("local",), capacity=1)
            )
    assert raised.value.status == 401
