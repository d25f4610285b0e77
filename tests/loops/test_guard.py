"""The guard lets only the public internet through."""

import ipaddress
from collections.abc import Sequence

import httpx
import pytest

from gateway.loops.egress.address_guard import AddressRefused, Guard, is_public

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


async def judged(
    found: Sequence[str],
    *,
    host: str = "hook.example",
    allow_private: bool = False,
    allow_loopback: bool = False,
) -> tuple[str, ...]:
    async def resolve(_host: str, _port: int, _project: str) -> Sequence[str]:
        return found

    guard = Guard(resolve=resolve, allow_private=allow_private, allow_loopback=allow_loopback)
    return await guard.addresses(httpx.Request("POST", f"https://{host}/path"))


async def test_all_addresses_of_a_host_are_given_in_the_order_they_were_found() -> None:
    assert await judged(["2606:4700::1111", "8.8.8.8"]) == ("2606:4700::1111", "8.8.8.8")


async def test_one_private_address_among_public_ones_is_refused() -> None:
    with pytest.raises(AddressRefused):
        await judged(["8.8.8.8", "10.0.0.1"])


@pytest.mark.parametrize("host", ["localhost", "app.localhost.", "127.0.0.1", "127.1", "[::1]"])
async def test_of_private_hosts_this_machine_alone_may_be_allowed(host: str) -> None:
    assert await judged(["127.0.0.1", "::1"], host=host, allow_loopback=True)
    with pytest.raises(AddressRefused):
        await judged(["127.0.0.1"], host=host)
    with pytest.raises(AddressRefused):
        await judged(["10.0.0.1"], host=host, allow_loopback=True)


async def test_a_public_name_that_leads_to_this_machine_stays_refused() -> None:
    with pytest.raises(AddressRefused):
        await judged(["127.0.0.1"], allow_loopback=True)
    assert await judged(["8.8.8.8"], allow_loopback=True) == ("8.8.8.8",)


async def test_private_addresses_pass_where_they_are_allowed() -> None:
    assert await judged(["127.0.0.1"], allow_private=True) == ("127.0.0.1",)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "localhost"])
async def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    with pytest.raises(httpx.ConnectError):
        await Guard().addresses(httpx.Request("POST", f"http://{host}/"))
