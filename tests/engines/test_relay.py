"""The relay between a program and its model's provider: it alone has the key."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import httpx
import pytest

from snapshot.runner.agent.programs.relay import (
    LARGEST_REQUEST_BYTES,
    MOST_CONNECTIONS,
    Relay,
)
from snapshot.runner.agent.programs.upstream import Access, Upstream
from snapshot.runner.failure import Failure
from snapshot.runner.network.client import PLAIN, Network
from snapshot.runner.variables import Secret
from tests.loops.tls import Authority
from tests.snapshot.http_stub import HttpStub, Request, Response
from tests.snapshot.patience import PATIENCE_SECONDS, until

KEY: Final = "sk-of-the-task"
MESSAGES: Final = "/v1/messages?beta=true"


class Provider:
    """A provider that keeps what it got."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.response = Response(content={"ok": True})
        self.http = HttpStub(self._answer)

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self.response


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider on this machine."""
    provider = Provider()
    yield provider
    provider.http.stop()


@pytest.mark.parametrize("size", [1, 5, len(KEY), 100])
def test_the_key_is_masked_wherever_an_answer_is_cut(size: int) -> None:
    upstream = Upstream(url="https://provider.example", key=Secret(KEY))
    answer = f"{KEY} {KEY[:-1]} sk {KEY}{KEY} s".encode()
    pieces = (answer[at : at + size] for at in range(0, len(answer), size))
    masked = b"".join(upstream.masked(pieces))
    assert masked == answer.replace(KEY.encode(), b"*" * len(KEY))


def relay_to(
    url: str,
    *,
    header: str = "x-api-key",
    network: Network = PLAIN,
    admit: Callable[[], None] = lambda: None,
) -> Relay:
    """A relay to a base URL."""
    upstream = Upstream(url=url, key=Secret(KEY), header=header)  # type: ignore[arg-type]  # of a table
    return Relay(upstream, network, admit)


def post(
    access: Access, headers: Mapping[str, str] | None = None, content: bytes = b"{}"
) -> httpx.Response:
    """The answer to a request of the program."""
    sent = {"x-api-key": access.token, **(headers or {})}
    with httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        return client.post(f"{access.url}{MESSAGES}", content=content, headers=sent)


@pytest.mark.parametrize("given", ["authorization", "x-api-key", "x-goog-api-key"])
@pytest.mark.parametrize(
    ("header", "value"),
    [("authorization", f"Bearer {KEY}"), ("x-api-key", KEY), ("x-goog-api-key", KEY)],
)
def test_the_key_takes_the_place_of_the_token_in_the_providers_own_header(
    provider: Provider, given: str, header: str, value: str
) -> None:
    with relay_to(f"{provider.http.url}/base", header=header) as access:
        token = f"Bearer {access.token}" if given == "authorization" else access.token
        assert post(access, {"x-api-key": "", given: token, "accept": "x/y"}).json() == {"ok": True}
    request = provider.requests[0]
    assert request.target == f"/base{MESSAGES}"
    assert request.headers[header] == value
    assert access.token not in str(request)
    assert str(request).count(KEY) == 1
    assert (request.body, request.headers["accept"]) == (b"{}", "x/y")
    assert request.headers["host"] == provider.http.url.removeprefix("http://")


HEADERS: Final = {
    "connection": "keep-alive, x-of-this-hop",
    "x-of-this-hop": "1",
    "te": "trailers",
    "proxy-authorization": "Basic x",
    "cookie": "a=b",
    "anthropic-beta": "one,two",
}


def test_headers_of_one_connection_end_at_the_relay_and_others_pass(provider: Provider) -> None:
    answer = {"set-cookie": "a=b", "keep-alive": "timeout=5", "anthropic-ratelimit": "7"}
    provider.response = Response(status=429, content={"error": 1}, headers=answer)
    with relay_to(provider.http.url) as access:
        response = post(access, HEADERS)
    sent = provider.requests[0].headers
    assert not {"x-of-this-hop", "te", "proxy-authorization", "cookie"} & set(sent)
    assert sent["anthropic-beta"] == "one,two"
    assert (response.status_code, response.json()) == (429, {"error": 1})
    assert response.headers["anthropic-ratelimit"] == "7"
    assert not {"set-cookie", "keep-alive"} & set(response.headers)


def test_an_encoded_body_passes_as_it_is(provider: Provider) -> None:
    encoded = bytes(range(256))
    headers = {"content-encoding": "x-own", "content-type": "application/json"}
    provider.response = Response(content=encoded, headers=headers)
    with relay_to(provider.http.url) as access:
        response = post(access, {"content-encoding": "zstd"}, encoded * 1000)
    assert response.content == encoded
    assert response.headers["content-encoding"] == "x-own"
    request = provider.requests[0]
    assert request.body == encoded * 1000
    assert request.headers["content-encoding"] == "zstd"


def test_a_provider_that_shows_what_it_got_does_not_show_the_key(provider: Provider) -> None:
    shown = {"error": f"the key Bearer {KEY} is unknown"}
    provider.response = Response(status=401, content=shown, headers={"x-debug": KEY})
    with relay_to(provider.http.url) as access:
        response = post(access, {"accept-encoding": "gzip"})
    assert provider.requests[0].headers["accept-encoding"] == "identity"
    assert response.json() == {"error": f"the key Bearer {'*' * len(KEY)} is unknown"}
    assert response.headers["x-debug"] == "*" * len(KEY)


@pytest.mark.parametrize("token", ["", "wrong", KEY, "Bearer", "\xe9"])
def test_without_its_token_nothing_passes(provider: Provider, token: str) -> None:
    with relay_to(provider.http.url) as access:
        given = Access(url=access.url, token=token)
        assert raw(given, "POST /v1/messages", f"authorization: Bearer {token}") == 401
    assert provider.requests == []


def test_the_token_of_an_earlier_relay_is_worth_nothing(provider: Provider) -> None:
    with relay_to(provider.http.url) as earlier:
        pass
    with relay_to(provider.http.url) as access:
        assert post(access, {"x-api-key": earlier.token}).status_code == 401


PATHS: Final = {
    "/v1/messages": 200,
    "/v1/messages/count_tokens?beta=true": 200,
    "/messages": 200,
    "/responses": 200,
    "/responses/compact": 200,
    "/chat/completions": 200,
    "/models/gemini-2.5-pro:streamGenerateContent?alt=sse": 200,
    "/v1/files": 404,
    "/responses/resp_1/cancel": 404,
    "/responses/../files": 404,
    "/models/../files:generateContent": 404,
    "/models/%2e%2e:generateContent": 404,
    "//elsewhere.test/v1/messages": 404,
    "/v1/messages/batches": 404,
    "/v1/organizations/api_keys": 404,
}


def test_only_the_paths_of_models_lead_to_the_provider(provider: Provider) -> None:
    with relay_to(provider.http.url) as access:
        answers = {path: raw(access, f"POST {path}") for path in PATHS}
        answers["http://elsewhere.test/v1/messages"] = raw(
            access, "POST http://elsewhere.test/v1/messages"
        )
        for request in ("GET /responses/resp_1", "GET /v1/files", "GET /v1/key"):
            assert raw(access, request) == 404
        assert raw(access, "GET /v1/models/m") == 200
        assert raw(access, "GET /models?client_version=1") == 200
        assert raw(access, "DELETE /v1/messages") == 501
    assert answers == {**PATHS, "http://elsewhere.test/v1/messages": 404}
    assert len(provider.requests) == list(PATHS.values()).count(200) + 2


def raw(access: Access, line: str, *headers: str) -> int:
    """The status of the answer to a request that no client writes."""
    with connected(access) as connection:
        rows = (f"{line} HTTP/1.1", "host: x", f"x-api-key: {access.token}", *headers, "", "")
        connection.sendall("\r\n".join(rows).encode())
        answer = connection.makefile("rb").read()
    return int(answer.split()[1])


def connected(access: Access) -> socket.socket:
    """A connection to the relay."""
    port = int(access.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("transfer-encoding: chunked", 411),
        ("content-length: -1", 400),
        ("content-length: +1", 400),
        (f"content-length: {'9' * 30}", 400),
        (f"content-length: {LARGEST_REQUEST_BYTES + 1}", 413),
    ],
)
def test_a_body_without_an_end_in_sight_is_refused(
    provider: Provider, header: str, status: int
) -> None:
    with relay_to(provider.http.url) as access:
        assert raw(access, "POST /v1/messages", header) == status
    assert provider.requests == []


def test_a_redirect_is_not_followed_and_not_passed_on(provider: Provider) -> None:
    location = {"location": "https://elsewhere.test/"}
    provider.response = Response(status=307, content={}, headers=location)
    with relay_to(provider.http.url) as access:
        response = post(access)
    assert response.status_code == 502
    assert "location" not in response.headers
    assert len(provider.requests) == 1


def test_a_reached_limit_is_told_and_nothing_passes(provider: Provider) -> None:
    def refuse() -> None:
        raise Failure("max_cost", "the agent was not done at 3 USD")

    with relay_to(provider.http.url, admit=refuse) as access:
        response = post(access, content=b"x" * 1_000_000)
    assert response.status_code == 429
    assert response.headers["x-should-retry"] == "false"
    assert "a limit of the task is reached" in response.json()["error"]["message"]
    assert provider.requests == []


def test_a_provider_that_is_away_is_named_and_no_key(provider: Provider) -> None:
    provider.http.stop()
    with relay_to(provider.http.url) as access:
        response = post(access)
    assert response.status_code == 502
    assert "cannot be reached" in response.json()["error"]["message"]
    assert KEY not in response.text


def test_after_its_end_nobody_listens(provider: Provider) -> None:
    with relay_to(provider.http.url) as access:
        pass
    with pytest.raises(httpx.ConnectError):
        post(access)


class Streaming:
    """A provider that sends pieces when it is told to, and may break off."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.recv(64 * 1024)
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        connection.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        self._connections.append(connection)

    def send(self, piece: bytes) -> None:
        """Send one chunk; the empty one is the end."""
        until(lambda: bool(self._connections), "the request")
        self._connections[0].sendall(b"%x\r\n%b\r\n" % (len(piece), piece))

    def close(self) -> None:
        """Break off."""
        for each in (*self._connections, self._listener):
            each.close()


def test_pieces_of_a_stream_pass_as_they_come() -> None:
    with closing(Streaming()) as provider, relay_to(provider.url) as access:
        headers = {"x-api-key": access.token}
        url = f"{access.url}/v1/messages"
        with httpx.Client(trust_env=False, timeout=60) as client:
            threading.Thread(target=provider.send, args=(b"data: 0\n\n",), daemon=True).start()
            with client.stream("POST", url, headers=headers, content=b"{}") as response:
                pieces = response.iter_raw()
                assert next(pieces) == b"data: 0\n\n"
                for number in range(1, 4):
                    # Sent only after the piece before has come.
                    provider.send(b"data: %d\n\n" % number)
                    assert next(pieces) == b"data: %d\n\n" % number
                provider.send(b"")
                assert list(pieces) == []


def test_a_stream_that_broke_off_does_not_end_well() -> None:
    with closing(Streaming()) as provider, relay_to(provider.url) as access:
        headers = {"x-api-key": access.token}
        with httpx.Client(trust_env=False, timeout=60) as client:
            threading.Thread(target=provider.send, args=(b"data: 0\n\n",), daemon=True).start()
            url = f"{access.url}/v1/messages"
            with client.stream("POST", url, headers=headers, content=b"{}") as response:
                pieces = response.iter_raw()
                assert next(pieces) == b"data: 0\n\n"
                provider.close()
                with pytest.raises(httpx.RemoteProtocolError):
                    next(pieces)


def test_connections_are_bounded_and_their_places_come_back(provider: Provider) -> None:
    with relay_to(provider.http.url) as access:
        with ExitStack() as stack:
            for _ in range(MOST_CONNECTIONS):
                stack.enter_context(connected(access))
            with connected(access) as refused:
                assert refused.recv(1) == b""
        until(lambda: is_answered(access), "a free place")


def is_answered(access: Access) -> bool:
    """True if the relay takes a request."""
    try:
        return post(access).status_code == 200
    except httpx.TransportError:
        return False


def test_the_runners_proxies_and_authorities_lead_to_the_provider(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    (tmp_path / "ca.pem").write_text(authority.text)
    requests: list[Request] = []

    def answer(request: Request) -> Response:
        requests.append(request)
        return Response(content={"ok": True})

    server = HttpStub(answer, tls=authority.context("127.0.0.1"))
    proxy = HttpStub(answer)
    try:
        ca = str(tmp_path / "ca.pem")
        network = Network.from_environ({"SSL_CERT_FILE": ca, "http_proxy": proxy.url})
        with relay_to(server.url, network=network) as access:
            assert post(access).status_code == 200
        with relay_to("http://provider.test", network=network) as access:
            assert post(access).status_code == 200
    finally:
        server.stop()
        proxy.stop()
    assert requests[1].target == f"http://provider.test{MESSAGES}"
    assert requests[1].headers["x-api-key"] == KEY
