"""A host like a GitHub Enterprise Server: git over https by a real http-backend, and an API."""

import base64
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.loops.tls import Authority
from tests.snapshot.http_stub import HttpStub, Request, Response

TOKEN = "ghp_sandbox_token"
BASIC = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
API = "/api/v3"


@dataclass
class GitHost:
    """Serves the repositories below a folder to whoever has the token."""

    root: Path
    authority: Authority
    api: Callable[[Request], Response] = lambda _: Response(status=404, content={"message": "No"})
    requests: list[Request] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    """Path of a repository → where it is now, a path or a whole address."""
    may_push: bool = True

    def __post_init__(self) -> None:
        self.http = HttpStub(self._answer, tls=self.authority.context("127.0.0.1"))

    @property
    def api_url(self) -> str:
        """The value of GITHUB_API_URL in a sandbox."""
        return self.http.url + API

    def url(self, path: str) -> str:
        """The address of a repository."""
        return f"{self.http.url}/{path}"

    def tokens(self) -> set[str]:
        """Every credential that was sent."""
        return {request.headers.get("authorization", "") for request in self.requests} - {""}

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        target = urlsplit(request.target)
        if target.path.startswith(API):
            return self.api(request)
        for old, new in self.moved.items():
            if target.path.startswith(f"/{old}/"):
                start = new if "://" in new else f"/{new}"
                location = start + request.target.removeprefix(f"/{old}")
                return Response(status=301, content=b"", headers={"location": location})
        if request.headers.get("authorization") != BASIC:
            challenge = {"www-authenticate": 'Basic realm="git"'}
            return Response(status=401, content=b"who are you?", headers=challenge)
        if "git-receive-pack" in request.target and not self.may_push:
            stderr = b"Permission to acme/widgets.git denied to octocat."
            return Response(status=403, content=stderr, headers={"content-type": "text/plain"})
        return self._backend(request, target.path, target.query)

    def _backend(self, request: Request, path: str, query: str) -> Response:
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "http.receivepack",
            "GIT_CONFIG_VALUE_0": "true",
            "GIT_CONFIG_KEY_1": "safe.directory",
            "GIT_CONFIG_VALUE_1": "*",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.method,
            "REMOTE_USER": "octocat",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "HTTP_GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=request.body,
            env=environ,
            capture_output=True,
            check=False,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        headers = {name.lower(): value for name, value in headers.items()}
        status = int(headers.pop("status", "200").split()[0])
        return Response(status=status, content=body, headers=headers)
