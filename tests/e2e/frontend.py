"""A frontend: creates tasks, follows their events through every outage, keeps what it heard."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from gateway.cli.replies import ENDS
from gateway.demo.receiver import Received

Json = dict[str, Any]
LOOK_SECONDS = 0.02
UNSENT = frozenset({"task.heartbeat", "task.log", "task.patch"})
"""Events that make no callback by default."""


class Frontend:
    """Its own view of one gateway."""

    def __init__(self, http: httpx.AsyncClient, callback_url: str) -> None:
        self._http = http
        self._callback_url = callback_url

    async def create(self, repository: str, **fields: Any) -> "Followed":
        """A task that was acknowledged."""
        wanted = {
            "repoUrl": repository,
            "prompt": "The test of the discount fails. Mend it.",
            "callbackUrl": self._callback_url,
            **fields,
        }
        answer = await self._http.post("/v1/tasks", json=wanted)
        assert answer.status_code == 202, answer.text
        return Followed(self._http, answer.json()["id"])


class Followed:
    """One task, its events read by cursor as they come."""

    def __init__(self, http: httpx.AsyncClient, task_id: str) -> None:
        self._http = http
        self.id = task_id
        self.events: list[Json] = []

    async def shown(self) -> Json:
        """The task as it stands."""
        answer = await self._http.get(f"/v1/tasks/{self.id}")
        assert answer.status_code == 200, answer.text
        task: Json = answer.json()
        return task

    async def cancel(self) -> None:
        """Asks for its end."""
        answer = await self._http.post(f"/v1/tasks/{self.id}/cancel")
        assert answer.status_code == 202, answer.text

    async def until(self, is_it: Callable[[Json], bool], *, seconds: float = 30.0) -> Json:
        """The first event of that kind, however often the gateway goes away meanwhile."""
        give_up = time.monotonic() + seconds
        while True:
            for event in self.events:
                if is_it(event):
                    return event
            if time.monotonic() > give_up:
                told = [(event["type"], event["data"]) for event in self.events[-6:]]
                raise TimeoutError(f"not within {seconds} s; the last events: {told}")
            await self._read_on()

    async def until_type(self, *types: str, seconds: float = 30.0) -> Json:
        """The first event of one of these types."""
        return await self.until(lambda event: event["type"] in types, seconds=seconds)

    async def until_stage(self, stage: str, *, seconds: float = 30.0) -> Json:
        """The first word of the agent about this stage."""
        return await self.until(
            lambda event: event["type"] == "task.progress" and event["data"]["stage"] == stage,
            seconds=seconds,
        )

    async def until_over(self, *, seconds: float = 45.0) -> Json:
        """The task once it has ended and its sandbox is confirmed destroyed."""
        await self.until_type(*(f"task.{end}" for end in ENDS), seconds=seconds)
        give_up = time.monotonic() + seconds
        while (shown := await self.shown())["sandbox"]["state"] != "destroyed":
            if time.monotonic() > give_up:
                raise TimeoutError(f"its sandbox is {shown['sandbox']['state']}")
            await self._read_on()
        return shown

    async def reread(self) -> list[Json]:
        """All events from the beginning, in one go."""
        answer = await self._http.get(f"/v1/tasks/{self.id}/events", params={"limit": 200})
        events: list[Json] = answer.json()["data"]
        return events

    async def _read_on(self) -> None:
        after = self.events[-1]["seq"] if self.events else 0
        query: dict[str, str | int] = {"after": after, "wait": 1, "limit": 200}
        try:
            answer = await self._http.get(f"/v1/tasks/{self.id}/events", params=query)
        except httpx.TransportError:
            await asyncio.sleep(LOOK_SECONDS)
            return
        if answer.status_code == 503:
            await asyncio.sleep(LOOK_SECONDS)
            return
        assert answer.status_code == 200, answer.text
        self.events.extend(answer.json()["data"])


def owed(events: list[Json]) -> list[str]:
    """The ids of the callbacks that these events make."""
    return [event["id"] for event in events if event["applied"] and event["type"] not in UNSENT]


class _Body(msgspec.Struct, frozen=True):
    data: "_Data"


class _Data(msgspec.Struct, frozen=True):
    event: "_Event"


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    task_id: str


def task_of(received: Received) -> str:
    """Whose webhook it is."""
    return msgspec.json.decode(received.body, type=_Body).data.event.task_id
