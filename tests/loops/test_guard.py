"""The guard lets only the public internet through, and connects to what it judged."""

import ipaddress
from collections.abc import Sequence

import httpx
import pytest

from gateway.loops.guard import AddressRefused, GuardedTransport, is_public, resolve

REFUSED = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:1::1",
    "2001:db8::1",
    "3fff::1",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "192.0.0.8",
    "::8.8.8.8",
    "64:ff9b::808:808",
    "100::1",
    "2001:20::1",
    "2002:808:808::1",
    "5f00::1",
    "fd00:ec2::254",
]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


class Recorder(httpx.AsyncBaseTransport):
    """Answers 204 and keeps the request."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(204)


async def post(addresses: Sequence[str], *, allow_private: bool = False) -> httpx.Request:
    async def found(_host: str, _port: int) -> Sequence[str]:
        return addresses

    recorder = Recorder()
    transport = GuardedTransport(recorder, resolve=found, allow_private=allow_private)
    async with httpx.AsyncClient(transport=transport) as client:
        await client.post("https://hook.example/path")
    return recorder.requests[0]


async def test_the_connection_goes_to_the_judged_address_under_the_old_name() -> None:
    request = await post(["8.8.8.8"])
    assert request.url.host == "8.8.8.8"
    assert request.headers["host"] == "hook.example"
    assert request.extensions["sni_hostname"] == "hook.example"


async def test_one_private_address_among_public_ones_is_refused() -> None:
    with pytest.raises(AddressRefused):
        await post(["8.8.8.8", "10.0.0.1"])


async def test_private_addresses_pass_where_they_are_allowed() -> None:
    assert (await post(["127.0.0.1"], allow_private=True)).url.host == "127.0.0.1"


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "localhost"])
async def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    async with httpx.AsyncClient(transport=GuardedTransport(Recorder(), resolve=resolve)) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://{host}/")
