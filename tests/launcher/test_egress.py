"""The launcher's connections: private authorities, one egress proxy, and no foreign variable."""

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.wire.authorities import Authorities
from launcher.client import open_http
from launcher.egress import Egress
from launcher.github import open_github
from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.providers.daytona.cli_client import open_cli_client
from launcher.settings import inspect_settings
from tests.loops.tls import Authority
from tests.snapshot.http_stub import HttpStub, Request, Response


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A certificate authority that is unknown by default."""
    return Authority(tmp_path / "authority")


@pytest.fixture
def bundle(authority: Authority, tmp_path: Path) -> Path:
    """Its certificate as a file."""
    path = tmp_path / "authority.pem"
    path.write_text(authority.text)
    return path


@pytest.fixture
def server(authority: Authority) -> Iterator[HttpStub]:
    """A server with a certificate of that authority."""
    stub = HttpStub(lambda _: Response(content={}), tls=authority.context("127.0.0.1"))
    yield stub
    stub.stop()


async def _statuses(url: str, egress: Egress) -> list[int]:
    """Statuses of the gateway, Daytona and GitHub at that address."""
    clients = [
        open_http(url, "key", egress=egress),
        open_daytona(url, "key", egress=egress),
        open_github(url, "key", egress=egress),
    ]
    statuses = []
    for client in clients:
        async with client:
            statuses.append((await client.get("/x")).status_code)
    return statuses


async def test_authorities_are_read_for_tls_alone() -> None:
    egress = Egress(authorities=Authorities(file="/gone.pem"))
    async with egress.to_gateway("http://gateway.example"):
        pass
    with pytest.raises(FileNotFoundError):
        egress.to_gateway("https://gateway.example")


async def test_a_private_authority_holds_for_every_connection(
    server: HttpStub, bundle: Path
) -> None:
    egress = Egress.of_environ({"SSL_CERT_FILE": str(bundle)})
    assert await _statuses(server.url, egress) == [200, 200, 200]


async def test_a_directory_of_authorities_does_too(
    server: HttpStub, authority: Authority, tmp_path: Path
) -> None:
    directories = f"{authority.directory(tmp_path / 'hashed')}:{tmp_path}"
    egress = Egress.of_environ({"SSL_CERT_DIR": directories})
    assert await _statuses(server.url, egress) == [200, 200, 200]


@pytest.mark.parametrize("value", ["", "/nonexistent", "/dev/null", "\0"])
async def test_one_that_cannot_be_read_is_left_out_and_nothing_else(
    server: HttpStub, value: str
) -> None:
    egress = Egress.of_environ({"SSL_CERT_FILE": value})
    assert len(egress.authorities.problems) == bool(value)
    assert egress.variables == {}
    with pytest.raises(httpx.ConnectError):
        await _statuses(server.url, egress)


async def test_foreign_variables_change_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreign = {
        "SSLKEYLOGFILE": "/nonexistent/keys",
        "SSL_CERT_FILE": "/nonexistent",
        "NO_PROXY": "fd07:b51a:cc66:f0::/64",
        "ALL_PROXY": "socks5h://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "NETRC": "/nonexistent",
    }
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    stub = HttpStub(lambda request: Response(content=request.headers["authorization"]))
    async with open_http(stub.url, "key", egress=Egress.of_environ(foreign)) as http:
        assert (await http.get("/x")).json() == "Bearer key"
    stub.stop()


async def test_the_egress_proxy_leads_to_daytona_and_github_but_not_to_a_gateway_here() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(content={})

    proxy = HttpStub(answer)
    gateway = HttpStub(lambda _: Response(content={}))
    address = proxy.url.replace("http://", "http://user:pass@")
    egress = Egress.of_environ({"SLIPGATE_EGRESS_PROXY": address})
    async with (
        open_daytona("http://daytona.test/api", "key", egress=egress) as daytona,
        open_github("http://github.test", "key", egress=egress) as github,
        open_http(gateway.url, "key", egress=egress) as here,
        open_http("http://gateway.test", "key", egress=egress) as there,
    ):
        await DaytonaApiClient(daytona).find("x", dict)
        for client in (github, here, there):
            await client.get("/x")
    targets = [request.target for request in seen]
    assert targets == ["http://daytona.test/api/x", "http://github.test/x", "http://gateway.test/x"]
    basic = "Basic " + base64.b64encode(b"user:pass").decode()
    assert {request.headers["proxy-authorization"] for request in seen} == {basic}
    assert "pass" not in repr(egress)
    proxy.stop()
    gateway.stop()


@pytest.mark.parametrize("value", ["proxy:3128", "socks5://proxy:1", "http://[", "http://h:99999"])
def test_an_egress_proxy_that_is_none_is_refused_at_start(value: str) -> None:
    settings, problems = inspect_settings({"SLIPGATE_EGRESS_PROXY": value})
    assert settings.egress.proxy is None
    assert any("SLIPGATE_EGRESS_PROXY" in problem for problem in problems)


def test_the_daytona_cli_gets_the_same_authorities(bundle: Path, tmp_path: Path) -> None:
    environ = {
        "PATH": "/bin",
        "SSL_CERT_FILE": str(bundle),
        "SLIPGATE_EGRESS_PROXY": "http://proxy.test:3128",
        "HTTPS_PROXY": "http://elsewhere.test",
    }
    terminal = open_cli_client(
        tmp_path / "cli", path="daytona", url="https://d.test", api_key="k", environ=environ
    )
    assert terminal.environ["SSL_CERT_FILE"] == str(bundle)
    assert terminal.environ["HTTPS_PROXY"] == "http://proxy.test:3128"
