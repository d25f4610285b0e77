"""Hosts that can be looked up, and those that no resolver takes."""

import pytest

from gateway.domain.repositories.hosts import is_host


@pytest.mark.parametrize(
    "host",
    [
        "app.example",
        "app.example.",
        "localhost",
        "a_b.example",
        "my-app-git-main-.vercel.app",
        "xn--e1afmkfd.xn--p1ai",
        "xn--i-7iq.ws",
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "::1",
        "2606:4700::1111",
        "a" * 63 + ".example",
        ".".join(["a" * 49] * 5),
    ],
)
def test_a_host_that_resolvers_take_is_one(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "a..b",
        ".example",
        "-a.example",
        "xn--localhost-",
        "a.xn--localhost-.example",
        "xn--",
        "xn--a",
        "%00",
        "a%41b",
        "exa%20mple",
        "a\\b",
        "a" * 64 + ".example",
        ".".join(["a" * 50] * 5) + ".",
        "1.2.3.4.5",
        "256.1.1.1",
        "example.123",
        "fe80::1%25eth0",
        "fe80::1%eth0",
        "::12345",
        "a:b",
    ],
)
def test_a_host_that_no_resolver_takes_is_none(host: str) -> None:
    assert not is_host(host)
