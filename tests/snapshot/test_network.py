"""Proxies and authorities of an environ: read where they can be read, else left out and named."""

from pathlib import Path

import httpx
import pytest

from snapshot.runner.network.certificates import FILES
from snapshot.runner.network.client import Network
from snapshot.runner.network.proxies import Proxies
from tests.loops.tls import Authority
from tests.snapshot.http_stub import HttpStub, Response

PROXY = "http://proxy.corp:3128"
EXCEPTIONS = (
    "fd07:b51a:cc66:f0::/64, 10.0.0.0/8;192.168.1.1 [fd00::1]:8443,.inner.corp "
    "*.wild.corp\tdirect.corp:8080 Trailing.corp. bücher.corp"
)


@pytest.mark.parametrize(
    ("url", "is_direct"),
    [
        ("https://[fd07:b51a:cc66:f0::1]/", True),
        ("https://[fd07:b51a:cc66:f1::1]/", False),
        ("http://10.1.2.3:8080/", True),
        ("http://11.1.2.3/", False),
        ("https://192.168.1.1/", True),
        ("https://[fd00::1]:8443/", True),
        ("https://[fd00::1]/", False),
        ("https://a.inner.corp/", True),
        ("https://inner.corp/", True),
        ("https://winner.corp/", False),
        ("https://x.wild.corp/", True),
        ("http://direct.corp:8080/", True),
        ("http://direct.corp/", False),
        ("https://trailing.corp./", True),
        ("https://bücher.corp/", True),
        ("http://localhost:1/", True),
        ("http://x.localhost/", True),
        ("http://127.0.0.2/", True),
        ("http://[::1]/", True),
        ("https://github.com/", False),
    ],
)
def test_no_proxy_is_read_in_every_form_that_is_in_use(url: str, is_direct: bool) -> None:
    proxies = Proxies.from_environ(
        {"HTTPS_PROXY": PROXY, "http_proxy": PROXY, "NO_PROXY": EXCEPTIONS}
    )
    assert proxies.problems == ()
    assert proxies.of_url(url) == (None if is_direct else PROXY)


def test_the_well_known_authorities_are_read_for_https_alone() -> None:
    network = Network.from_environ({})
    counts = [
        network.context_for(url).cert_store_stats()["x509_ca"] for url in ("http://x", "HTTPS://x")
    ]
    assert (counts[0], counts[1] > 0) == (0, True)


def test_a_star_means_everything() -> None:
    assert Proxies.from_environ({"ALL_PROXY": PROXY, "no_proxy": "*"}).of_url("http://x/") is None


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({"HTTPS_PROXY": "proxy.corp:3128"}, "https://x/", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://x/", None),
        ({"ALL_PROXY": "socks5h://s:1080"}, "https://x/", "socks5h://s:1080"),
        ({"ALL_PROXY": "socks5://s:1080", "http_proxy": PROXY}, "http://x/", PROXY),
        ({"https_proxy": "", "HTTPS_PROXY": PROXY}, "https://x/", None),
        (
            {"https_proxy": "http://u:p%40@h:1", "HTTPS_PROXY": PROXY},
            "https://x/",
            "http://u:p%40@h:1",
        ),
        ({"https_proxy": "https://h"}, "https://x/", "https://h"),
        ({"all_proxy": " http://h:1 "}, "https://x/", "http://h:1"),
    ],
)
def test_the_lower_case_and_the_nearer_name_win(
    environ: dict[str, str], url: str, proxy: str | None
) -> None:
    assert Proxies.from_environ(environ).of_url(url) == proxy


@pytest.mark.parametrize(
    "value",
    [
        *("http://[", "ftp://h:1", "http://", "http://h:99999", "http://h:port", "socks4://h:1"),
        *(
            "http://a b",
            "::::",
            "http://xn--/",
            "http://pass\u2192word@h:1",
            "/etc/passwd",
            "http://h\n",
        ),
    ],
)
def test_an_unreadable_proxy_is_left_out_and_named(value: str) -> None:
    network = Network.from_environ({"HTTPS_PROXY": f"{value}x" if value == "http://h\n" else value})
    assert network.proxies.of_url("https://github.com/") is None
    (problem,) = network.problems
    assert problem.startswith("HTTPS_PROXY is left out")
    assert "word" not in problem
    assert "HTTPS_PROXY" not in network.usable({"HTTPS_PROXY": value})


def test_children_get_what_could_be_read_in_both_spellings() -> None:
    network = Network.from_environ(
        {"HTTPS_PROXY": "proxy.corp:3128", "NO_PROXY": "a.corp ??? fd00::/8", "http_proxy": "?:?"}
    )
    usable = network.usable({"PATH": "/bin", "http_proxy": "?:?", "Http_Proxy": "?"})
    assert usable == {
        "PATH": "/bin",
        "https_proxy": PROXY,
        "HTTPS_PROXY": PROXY,
        "no_proxy": "a.corp,fd00::/8,localhost,127.0.0.1,::1",
        "NO_PROXY": "a.corp,fd00::/8,localhost,127.0.0.1,::1",
    }
    assert len(network.problems) == 2


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_a_client_goes_through_the_proxy_of_its_address(tmp_path: Path, is_tls: bool) -> None:
    authority = Authority(tmp_path / "authority")
    (tmp_path / "ca.pem").write_text(authority.text)
    proxy = HttpStub(
        lambda request: Response(content=request.target),
        tls=authority.context("127.0.0.1") if is_tls else None,
    )
    environ = {"ALL_PROXY": proxy.url, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    network = Network.from_environ(environ)
    with network.client("http://x.test", timeout=httpx.Timeout(10), headers={}) as client:
        assert client.get("http://x.test/a").json() == "http://x.test/a"
    proxy.stop()


def test_a_socks_proxy_can_be_spoken_to() -> None:
    network = Network.from_environ({"ALL_PROXY": "socks5h://127.0.0.1:1"})
    with (
        network.client("http://x.test", timeout=httpx.Timeout(10), headers={}) as client,
        pytest.raises(httpx.ConnectError),
    ):
        client.get("http://x.test/a")


@pytest.mark.parametrize("name", FILES)
def test_all_trust_an_authority_under_every_name_and_git_and_node_under_their_own(
    tmp_path: Path, name: str
) -> None:
    authority = Authority(tmp_path / "authority")
    bundle = tmp_path / "ca.pem"
    bundle.write_text(authority.text)
    network = Network.from_environ({name: str(bundle)})
    usable = network.usable({})
    assert usable[name] == usable["GIT_SSL_CAINFO"] == usable["NODE_EXTRA_CA_CERTS"] == str(bundle)
    host = HttpStub(lambda _: Response(content="hello"), tls=authority.context("127.0.0.1"))
    with network.client(host.url, timeout=httpx.Timeout(10), headers={}) as client:
        assert client.get(host.url).json() == "hello"
    host.stop()


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", ["/nonexistent", "", "/dev/null", "\0", "relative"])
def test_an_authority_that_cannot_be_read_is_left_out_and_named(name: str, value: str) -> None:
    network = Network.from_environ({name: value})
    assert bool(network.problems) == bool(value)
    assert network.usable({}) == {}
    assert network.context.cert_store_stats()["x509_ca"] > 0
