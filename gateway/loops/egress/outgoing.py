"""The transport of every request that we send: directly to a checked address, or by a proxy."""

import ssl
from collections.abc import Callable

import httpx

from gateway.loops.deliveries.admission import PARALLEL
from gateway.loops.egress.address_guard import Guard
from gateway.loops.egress.pinned import PinnedTransport
from gateway.loops.egress.proxied import ProxiedTransport
from gateway.wire.authorities import with_trust


def outgoing(
    guard: Guard, trust: Callable[[], ssl.SSLContext], *, proxy: str | None
) -> httpx.AsyncBaseTransport:
    """`trust` makes the context of the authorities that are trusted."""
    if proxy is None:
        return PinnedTransport(guard, trust=trust)
    context = trust()
    # Those that hang must not keep the others from a connection.
    limits = httpx.Limits(max_connections=2 * PARALLEL, max_keepalive_connections=PARALLEL)
    proxied = httpx.AsyncHTTPTransport(
        proxy=with_trust(proxy, context), limits=limits, verify=context, trust_env=False
    )
    return ProxiedTransport(guard, proxied)
