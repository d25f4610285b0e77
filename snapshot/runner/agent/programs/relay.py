"""The way of a program to its model: it has a token, and only the runner has the provider's key.

A program's commands may read all that the program itself is given. So it is given a token, which is
good for this relay alone, on this machine, while the program runs. The relay listens in the runner,
which no command can look into, and passes requests on with the key in the token's place.
"""

import hmac
import json
import secrets
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer, ThreadingTCPServer
from types import TracebackType
from typing import ClassVar, Final

import httpx

from ...failure import Failure
from ...network.client import Network
from ..chat import CONNECT_SECONDS, TOKEN_SECONDS
from ..landlock import DAEMON_PORTS
from .upstream import KEY_HEADERS, Access, Upstream, response_headers

LARGEST_REQUEST_BYTES: Final = 64 * 1024**2
"""More than any provider takes."""
MOST_CONNECTIONS: Final = 32
"""A command that opens thousands must not use up the runner's files."""
_PIECE_BYTES: Final = 64 * 1024
_POLL_SECONDS: Final = 0.05
_TIMEOUT: Final = httpx.Timeout(TOKEN_SECONDS, connect=CONNECT_SECONDS)


class RequestRejected(Exception):
    """An answer of the relay's own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Relay:
    """Open while its context is; `admit` raises `Failure` where a limit of the task is reached."""

    def __init__(self, upstream: Upstream, network: Network, admit: Callable[[], None]) -> None:
        self.upstream = upstream
        self.network = network
        self.admit = admit
        self.is_open = False
        self._token = secrets.token_urlsafe(32)
        self._server = _listening(self)

    def knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())

    def __enter__(self) -> Access:
        self.is_open = True
        serve = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True, name="relay"
        )
        serve.start()
        return Access(url=f"http://127.0.0.1:{self._server.port}", token=self._token)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Refuse connections; an answer that is still on its way ends with its next piece."""
        self.is_open = False
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, relay: Relay) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.relay = relay
        self.port = int(self.server_address[1])
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)

    def verify_request(self, *_: object) -> bool:
        """Take a place for the connection, if there is one."""
        return self._places.acquire(blocking=False)

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]  # of a socket server
        finally:
            self._places.release()

    def handle_error(self, *_: object) -> None:
        """Show what is no matter of the connection: a client may go away."""
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()


def _listening(relay: Relay) -> _Server:
    """A server on a free port that commands may connect to."""
    refused: list[_Server] = []
    try:
        while (server := _Server(relay)).port in DAEMON_PORTS:
            refused.append(server)
        return server
    finally:
        for other in refused:
            other.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One request, and then the end of its connection: none is kept that could be stale."""

    protocol_version = "HTTP/1.1"
    timeout: ClassVar[float | None] = TOKEN_SECONDS

    def __init__(self, request: object, client_address: object, server: BaseServer) -> None:
        assert isinstance(server, _Server), "made by it alone"  # noqa: S101
        self._relay = server.relay
        self._unread = 0
        self._has_begun = False
        super().__init__(request, client_address, server)  # type: ignore[arg-type]  # of a socket server

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the engine reads the program's own output."""

    def _serve(self) -> None:
        self.close_connection = True
        try:
            self._forward()
        except RequestRejected as rejected:
            self._refuse(rejected.status, rejected.message)
        except Failure as failure:
            self._refuse(429, f"a limit of the task is reached: {failure.message}")
        except httpx.TimeoutException as exc:
            self._refuse(504, f"the model's provider does not answer: {exc}")
        except httpx.HTTPError as exc:
            self._refuse(502, f"the model's provider cannot be reached: {exc}")

    do_GET = do_POST = _serve  # noqa: N815 - the names of http.server

    def _forward(self) -> None:
        relay = self._relay
        self._unread = self._length()
        self._check_token()
        target = relay.upstream.target(self.command, self.path)
        if target is None:
            raise RequestRejected(404, f"{self.command} {self.path} is no request to a model")
        relay.admit()
        headers = relay.upstream.request_headers(self.headers.items())
        if self.command == "POST":
            headers.append(("content-length", str(self._unread)))
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        with (
            relay.network.client(target, timeout=_TIMEOUT, headers={}) as client,
            client.stream(
                self.command,
                target,
                headers=encoded,
                content=self._pieces() if self.command == "POST" else None,
            ) as response,
        ):
            if response.is_redirect:
                raise RequestRejected(502, "the model's provider redirects, which is not followed")
            self._begin(response)
            self._pass_on(response)
        self._skip_rest()

    def _length(self) -> int:
        if "transfer-encoding" in self.headers:
            raise RequestRejected(411, "a request needs a content-length")
        text = self.headers.get("content-length") or "0"
        if not (text.isascii() and text.isdecimal() and len(text) < 20):
            raise RequestRejected(400, "the content-length is no number")
        if int(text) > LARGEST_REQUEST_BYTES:
            raise RequestRejected(413, f"a request has at most {LARGEST_REQUEST_BYTES} bytes")
        return int(text)

    def _check_token(self) -> None:
        given = (self.headers.get(name) or "" for name in KEY_HEADERS)
        if not any(self._relay.knows(value.removeprefix("Bearer ")) for value in given):
            raise RequestRejected(401, "the token of this task's model is missing or wrong")

    def _pieces(self) -> Iterator[bytes]:
        """The body as it comes; raises OSError if the client goes away before its end."""
        while self._unread:
            piece = self.rfile.read(min(self._unread, _PIECE_BYTES))
            if not piece:
                raise ConnectionAbortedError("the request broke off")
            self._unread -= len(piece)
            yield piece

    def _skip_rest(self) -> None:
        """Read what the provider did not, so that the connection is not reset with the answer."""
        for _ in self._pieces():
            pass

    def _begin(self, response: httpx.Response) -> None:
        self._has_begun = True
        response.headers.encoding = "latin-1"
        self.send_response_only(response.status_code, response.reason_phrase)
        for name, value in response_headers(response.headers):
            masked = self._relay.upstream.masked([value.encode("latin-1")])
            self.send_header(name, b"".join(masked).decode("latin-1"))
        if "content-length" not in response.headers:
            self.send_header("transfer-encoding", "chunked")
        self.send_header("connection", "close")
        self.end_headers()

    def _pass_on(self, response: httpx.Response) -> None:
        """Write each piece as it comes; without the end if the provider's answer broke off."""
        is_chunked = "content-length" not in response.headers
        for piece in filter(None, self._relay.upstream.masked(response.iter_raw())):
            if not self._relay.is_open:
                return
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _refuse(self, status: int, message: str) -> None:
        if self._has_begun:
            return
        self._skip_rest()
        error = {"type": "relay_error", "code": status, "message": message}
        content = json.dumps({"type": "error", "error": error}).encode()
        self.send_response_only(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.send_header("x-should-retry", "true" if status >= 500 else "false")
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(content)
