"""The proxies of an environ, read as curl and Go read them; each unreadable one is named."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import httpx

from . import hosts

PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
NO_PROXY: Final = "no_proxy"
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
"""For children: curl, and git with it, makes no exception by itself."""
_SCHEMES: Final = frozenset({"http", "https", "socks5", "socks5h"})
_DOMAIN: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_VISIBLE: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Direct:
    """One entry of NO_PROXY: a network or a domain that is reached without a proxy."""

    text: str
    network: IPv4Network | IPv6Network | None = None
    domain: str = ""
    """With all its subdomains; empty beside a network. `*` is everything."""
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        if self.port not in {None, port}:
            return False
        if self.domain == "*":
            return True
        if self.network is None:
            return host == self.domain or host.endswith(f".{self.domain}")
        try:
            return ip_address(host) in self.network
        except ValueError:
            return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxies:
    by_name: Mapping[str, str]
    """`http_proxy` and so on → the proxy's address, with its scheme."""
    direct: tuple[Direct, ...]
    problems: tuple[str, ...]
    """A sentence for each variable that is left out, without its value: it may hold a password."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Proxies":
        """Read both spellings; the lower case wins, and set to nothing it means none."""
        problems: list[str] = []
        by_name = dict(_proxies(environ, problems))
        direct = tuple(_directs(environ, problems))
        return cls(by_name=by_name, direct=direct, problems=tuple(problems))

    @property
    def variables(self) -> dict[str, str]:
        """Variables for a child, in both spellings; none without a proxy."""
        if not self.by_name:
            return {}
        direct = ",".join([*(entry.text for entry in self.direct), *LOOPBACK])
        lower = {**self.by_name, NO_PROXY: direct}
        return lower | {name.upper(): value for name, value in lower.items()}

    def of_url(self, url: str) -> str | None:
        """The proxy on the way to an http or https address; this machine is never behind one."""
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".")
        port = parts.port or hosts.DEFAULT_PORTS.get(parts.scheme, 0)
        is_local = hosts.is_loopback(host) or host.endswith(".localhost")
        if is_local or any(entry.covers(host, port) for entry in self.direct):
            return None
        return self.by_name.get(f"{parts.scheme}_proxy") or self.by_name.get("all_proxy")


def _proxies(environ: Mapping[str, str], problems: list[str]) -> Iterator[tuple[str, str]]:
    for name in PROXIES:
        spelled, value = _value(environ, name)
        if not value:
            continue
        try:
            yield name, _proxy(value)
        except ValueError:
            problems.append(
                f"{spelled} is left out: it is no address of an http, https or socks5 proxy"
            )


def _proxy(value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname or not _VISIBLE.fullmatch(url):
        raise ValueError(value)
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        raise ValueError(value)
    hosts.netloc(url)
    try:
        httpx.Proxy(url)
    except httpx.InvalidURL as exc:
        raise ValueError(value) from exc
    return url


def _directs(environ: Mapping[str, str], problems: list[str]) -> Iterator[Direct]:
    spelled, value = _value(environ, NO_PROXY)
    for text in filter(None, re.split(r"[\s,;]+", value)):
        try:
            yield _direct(text)
        except ValueError:
            problems.append(f"{spelled}: an entry is left out, it is no domain and no network")


def _direct(text: str) -> Direct:
    if text == "*":
        return Direct(text=text, domain="*")
    try:
        return Direct(text=text, network=ip_network(text, strict=False))
    except ValueError:
        pass
    head, _, digits = text.rpartition(":")
    host, port = (head, int(digits)) if head and digits.isdecimal() else (text, None)
    bare = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    try:
        return Direct(text=text, network=ip_network(bare, strict=False), port=port)
    except ValueError:
        domain = bare.lower().removeprefix("*").removeprefix(".").removesuffix(".")
        if not _DOMAIN.fullmatch(domain):
            raise
        return Direct(text=text, domain=domain, port=port)


def _value(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    spelled = name if name in environ else name.upper()
    return spelled, environ.get(spelled, "").strip()
