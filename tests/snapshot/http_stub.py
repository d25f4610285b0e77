"""A small HTTP server on loopback that can go away and come back on its port."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request."""

    method: str
    target: str
    """Path and query."""
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        """The body as a JSON object."""
        document: dict[str, object] = json.loads(self.body)
        return document


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer; the content is JSON unless it is bytes."""

    status: int = 200
    content: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpStub:
    """Answers with a function; keeps its port between stop and start."""

    def __init__(
        self, answer: Callable[[Request], Response], *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._answer = answer
        self._tls = tls
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        """The address it listens on, or would."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen."""
        server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self._answer))
        server.daemon_threads = True
        if self._tls is not None:
            # The handshake belongs to the connection's thread, not to the one that accepts.
            server.socket = self._tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections; safe twice."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _handler(answer: Callable[[Request], Response]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            return

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            response = answer(
                Request(method=self.command, target=self.path, headers=headers, body=body)
            )
            content = response.content
            sent = content if isinstance(content, bytes) else json.dumps(content).encode()
            if "date" in response.headers:
                self.send_response_only(response.status)
            else:
                self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if "content-type" not in response.headers:
                self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            with suppress(ConnectionError):  # whoever asked has gone
                self.end_headers()
                self.wfile.write(sent)

        do_GET = do_POST = _serve  # noqa: N815 - the names of http.server

    return Handler
