"""A frontend: creates tasks, follows their events through every outage, keeps what it heard."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from gateway.demo.receiver import Received
from gateway.domain.tasks.task import TERMINAL
from tests.e2e.wait import LOOK_SECONDS, PATIENCE_SECONDS

Json = dict[str, Any]
UNSENT = frozenset({"task.heartbeat", "task.log", "task.patch", "task.trajectory"})
"""Events that make no callback by default."""


class Frontend:
    """Its own view of one gateway; a call that is not answered is made again."""

    def __init__(self, http: httpx.AsyncClient, callback_url: str, repository: str) -> None:
        self._http = http
        self._callback_url = callback_url
        self._repository = repository

    async def create(self, **fields: Any) -> "Followed":
        """A task that was acknowledged."""
        wanted = {
            "repoUrl": self._repository,
            "prompt": "The test of the discount fails. Mend it.",
            "callbackUrl": self._callback_url,
            **fields,
        }
        answer = await self.call("POST", "/v1/tasks", json=wanted)
        assert answer.status_code == 202, answer.text
        return Followed(self, answer.json()["id"])

    async def call(
        self, method: str, path: str, *, seconds: float = PATIENCE_SECONDS, **options: Any
    ) -> httpx.Response:
        """The answer, however often the gateway goes away meanwhile; raises `TimeoutError`."""
        headers = {"idempotency-key": uuid.uuid4().hex}
        give_up = time.monotonic() + seconds
        while True:
            try:
                answer = await self._http.request(method, path, headers=headers, **options)
            except httpx.TransportError:
                answer = httpx.Response(503)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return answer
            if time.monotonic() > give_up:
                raise TimeoutError(f"{method} {path} was not answered within {seconds} s")
            await asyncio.sleep(LOOK_SECONDS)


class Followed:
    """One task, its events read by cursor as they come."""

    def __init__(self, frontend: Frontend, task_id: str) -> None:
        self._frontend = frontend
        self.id = task_id
        self.events: list[Json] = []

    async def shown(self) -> Json:
        """The task as it stands."""
        task: Json = await self._read("")
        return task

    async def cancel(self) -> bool:
        """Asks for its end; whether it had not ended yet."""
        answer = await self._frontend.call("POST", f"/v1/tasks/{self.id}/cancel")
        assert answer.status_code in {202, 409}, answer.text
        return answer.status_code == httpx.codes.ACCEPTED

    async def until(
        self, is_it: Callable[[Json], bool], *, seconds: float = PATIENCE_SECONDS
    ) -> Json:
        """The first event of that kind; raises `TimeoutError`."""
        give_up = time.monotonic() + seconds
        while True:
            for event in self.events:
                if is_it(event):
                    return event
            if time.monotonic() > give_up:
                told = [(event["type"], event["data"]) for event in self.events[-6:]]
                raise TimeoutError(f"not within {seconds} s; the last events: {told}")
            await self._read_on()

    async def until_type(self, *types: str, seconds: float = PATIENCE_SECONDS) -> Json:
        """The first event of one of these types."""
        return await self.until(lambda event: event["type"] in types, seconds=seconds)

    async def until_stage(self, stage: str) -> Json:
        """The first word of the agent about this stage."""
        return await self.until(
            lambda event: event["type"] == "task.progress" and event["data"]["stage"] == stage
        )

    async def until_over(self, *, seconds: float = PATIENCE_SECONDS) -> Json:
        """The task once it has ended and no sandbox of it is left."""
        await self.until_type(*(f"task.{end}" for end in TERMINAL), seconds=seconds)
        give_up = time.monotonic() + seconds
        while (sandbox := (shown := await self.shown())["sandbox"]) is not None:
            if sandbox["state"] == "destroyed":
                return shown
            if time.monotonic() > give_up:
                raise TimeoutError(f"its sandbox is {sandbox['state']}")
            await self._read_on()
        return shown

    async def reread(self) -> list[Json]:
        """All events from the beginning, in one go."""
        events: list[Json] = (await self._read("/events", limit=200))["data"]
        return events

    async def _read_on(self) -> None:
        after = self.events[-1]["seq"] if self.events else 0
        self.events.extend((await self._read("/events", after=after, wait=1, limit=200))["data"])

    async def _read(self, what: str, **query: int) -> Any:
        answer = await self._frontend.call("GET", f"/v1/tasks/{self.id}{what}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


def expected_deliveries(events: list[Json]) -> list[str]:
    """The ids of the callbacks that these events make."""
    return [event["id"] for event in events if event["applied"] and event["type"] not in UNSENT]


class _Body(msgspec.Struct, frozen=True):
    data: "_Data"


class _Data(msgspec.Struct, frozen=True):
    event: "_Event"


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    task_id: str


def task_of(received: Received) -> str:
    """The task of a webhook."""
    return msgspec.json.decode(received.body, type=_Body).data.event.task_id
