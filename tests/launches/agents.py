"""Minimal agents: each reports a few events, signed with its own key."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import msgspec

from gateway.wire.signing import secret_bytes, sign
from tests.daytona.machine import Machine

AgentEvent = tuple[str, Mapping[str, object]]
"""The type and the fields of an event."""
START_AND_END: Sequence[AgentEvent] = (
    ("task.started", {}),
    ("task.completed", {"summary": "done"}),
)
PAUSE_SECONDS = 0.2


class ReportingMachine(Machine):
    """Runs no process: a started sandbox reports once, and again until it is accepted."""

    def __init__(
        self, folder: Path, http: httpx.AsyncClient, events: Sequence[AgentEvent] = START_AND_END
    ) -> None:
        super().__init__(folder)
        self._http = http
        self._events = events
        self._agents: dict[str, asyncio.Task[None]] = {}
        self.refused: list[int] = []
        """Statuses that told agents to stop."""

    async def start(self, sandbox_id: str, env: Mapping[str, str]) -> None:
        """Starts the agent once per sandbox."""
        if sandbox_id not in self._agents and "SLIPGATE_WEBHOOK_URL" in env:
            self._agents[sandbox_id] = asyncio.ensure_future(self._report_all(sandbox_id, env))

    async def end(self, sandbox_id: str) -> None:
        """A destroyed sandbox reports nothing more."""
        agent = self._agents.get(sandbox_id)
        if agent is not None:
            agent.cancel()

    async def close(self) -> None:
        """Cancels all agents."""
        for agent in self._agents.values():
            agent.cancel()
        await asyncio.gather(*self._agents.values(), return_exceptions=True)

    async def _report_all(self, sandbox_id: str, env: Mapping[str, str]) -> None:
        for number, event in enumerate(self._events):
            status = 0
            while status not in {200, 202}:
                status = await self._report(event, f"{sandbox_id}-{number}", env)
                if status in {409, 410}:
                    self.refused.append(status)
                    return
                await asyncio.sleep(PAUSE_SECONDS)

    async def _report(self, event: AgentEvent, name: str, env: Mapping[str, str]) -> int:
        kind, fields = event
        data = {
            "taskId": env["SLIPGATE_TASK_ID"],
            "attempt": int(env["SLIPGATE_ATTEMPT"]),
            **fields,
        }
        body = msgspec.json.encode(
            {"type": kind, "timestamp": "2026-01-01T00:00:00Z", "data": data}
        )
        now = int(time.time())
        headers = {
            "webhook-id": name,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(
                secret_bytes(env["SLIPGATE_WEBHOOK_SECRET"]), name, now, body
            ),
        }
        try:
            response = await self._http.post(
                env["SLIPGATE_WEBHOOK_URL"], content=body, headers=headers, timeout=10
            )
        except httpx.TransportError:
            return 0
        return response.status_code
