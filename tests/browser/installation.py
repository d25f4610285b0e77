"""A gateway on a socket, and the callers that give its dashboard something to show."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from gateway.wire.signing import secret_bytes, sign
from tests.web.callers import PROVIDER, TASK, sandbox_of

Json = dict[str, Any]


@dataclass(kw_only=True)
class Agent:
    """An agent in its sandbox."""

    http: httpx.Client
    env: dict[str, str]
    sent: int = 0

    def emit(self, kind: str, **fields: object) -> None:
        """Sends one signed webhook."""
        data = {"taskId": self.env["SLIPGATE_TASK_ID"], "attempt": 1, **fields}
        body = msgspec.json.encode(
            {"type": kind, "timestamp": "2026-01-01T00:00:00.000Z", "data": data}
        )
        self.sent += 1
        name, at = f"m{self.sent}", int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(
                secret_bytes(self.env["SLIPGATE_WEBHOOK_SECRET"]), name, at, body
            ),
        }
        answer = self.http.post("/v1/webhooks/agent", content=body, headers=headers)
        assert answer.status_code == 202, answer.text


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The gateway by its address, with the key of each scope."""

    http: httpx.Client
    """One for all calls: a new one for each would cost 20 ms of the processor."""
    keys: dict[str, str]
    restart: Callable[[], None]
    """Kills the gateway, and starts it again."""

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return str(self.http.base_url).rstrip("/")

    def post(self, path: str, body: object, scope: str, *, method: str = "POST") -> Json:
        headers = {"authorization": f"Bearer {self.keys[scope]}"}
        answer = self.http.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        decoded: Json = answer.json()
        return decoded

    def read(self, path: str, scope: str = "ops") -> Json:
        headers = {"authorization": f"Bearer {self.keys[scope]}"}
        answer = self.http.get(path, headers=headers)
        assert answer.is_success, answer.text
        decoded: Json = answer.json()
        return decoded

    def finish_bulk(self, bulk: Json) -> None:
        """Waits until a bulk action has gone through its tasks."""
        while bulk["status"] == "running":
            bulk = self.read(f"/v1/bulk/{bulk['id']}")

    def create(self, **wanted: object) -> Json:
        """A task, accepted."""
        return self.post("/v1/tasks", TASK | wanted, "tasks")

    def launch(self, **wanted: object) -> tuple[Json, Agent]:
        """A task whose sandbox is up, and its agent."""
        task = self.create(**wanted)
        claim = {"launcherId": "l1", "providers": [PROVIDER], "capacity": 200}
        jobs = self.post("/v1/launcher/claim", claim, "launcher")["jobs"]
        (job,) = (one for one in jobs if one.get("taskId") == task["id"])
        lease = {"leaseToken": job["leaseToken"]}
        name = {"provider": "local", "realm": "here", "name": job["sandbox"]["name"], "try": 1}
        path = f"/v1/launcher/jobs/{job['id']}"
        self.post(f"{path}/trying", lease | name, "launcher")
        self.post(f"{path}/done", lease | {"sandbox": sandbox_of(job)}, "launcher")
        return task, Agent(http=self.http, env=job["env"])
