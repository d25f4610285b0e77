"""A server in the gateway's place that answers as it was told, one answer after the other."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, str]
"""Status and body."""


@dataclass
class Scripted:
    """A scripted model: the answers it will give, and the requests it got."""

    answers: list[Answer]
    url: str = ""
    keys: list[str | None] = field(default_factory=list)
    """The `Idempotency-Key` of each request."""


@contextmanager
def answering(answers: Sequence[Answer]) -> Iterator[Scripted]:
    """The server, as long as somebody asks."""
    script = Scripted(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            script.keys.append(self.headers["idempotency-key"])
            self.rfile.read(int(self.headers["content-length"]))
            status, body = script.answers.pop(0)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        script.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
