"""httpx alone: signs bodies and sends them, so many at a time, and does nothing else."""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import uvloop

from gateway.wire.signing import sign


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its target."""

    url: str
    secret: bytes
    at_once: int
    bodies: list[bytes]


async def send(work: Work) -> None:
    """All of it."""
    numbered = enumerate(work.bodies)
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        await asyncio.gather(*(_send(client, work, numbered) for _ in range(work.at_once)))


async def _send(
    client: httpx.AsyncClient, work: Work, numbered: Iterator[tuple[int, bytes]]
) -> None:
    for number, body in numbered:
        name, now = f"evt_{number}", int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "alone",
            "webhook-id": name,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(work.secret, name, now, body),
        }
        (await client.post(work.url, content=body, headers=headers)).raise_for_status()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send(msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Work)))
