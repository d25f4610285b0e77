"""Readers of one stream, in a process of their own: prints when the last of them had each event."""

import argparse
import asyncio
import re
import sys
import time
from collections import Counter
from functools import partial
from typing import Final, cast

import uvloop

from tests.benchmarks.connection import request

_ID: Final = re.compile(rb"^id: (\d+)\r?$", re.MULTILINE)
AT_ONCE: Final = 50
"""Connections that are being opened."""


class Readers:
    """Counts who has heard what."""

    def __init__(self, readers: int) -> None:
        self._readers = readers
        self._begun = 0
        self._received: Counter[bytes] = Counter()
        self.all_begun = asyncio.Event()
        self.ended = asyncio.Event()
        """A stream has ended: there is nothing left to measure."""

    def begin(self) -> None:
        """One more stream is open."""
        self._begun += 1
        if self._begun == self._readers:
            self.all_begun.set()

    def receive(self, number: bytes) -> None:
        """One more has the event."""
        self._received[number] += 1
        if self._received[number] == self._readers:
            print(int(number), time.perf_counter(), flush=True)


class Reader(asyncio.Protocol):
    """One stream. Events are small and come one at a time, whole."""

    def __init__(self, subscribers: Readers, message: bytes) -> None:
        self._subscribers = subscribers
        self._message = message
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks."""
        cast("asyncio.WriteTransport", transport).write(self._message)

    def data_received(self, data: bytes) -> None:
        """The head of the answer, then events."""
        if not self._is_open:
            if not data.startswith(b"HTTP/1.1 200"):
                print(f"no stream: {data[:300]!r}", file=sys.stderr)
                self._subscribers.ended.set()
                return
            self._is_open = True
            self._subscribers.begin()
        for number in _ID.findall(data):
            self._subscribers.receive(number)

    def connection_lost(self, exc: Exception | None) -> None:
        """The gateway has stopped, or refused."""
        self._subscribers.ended.set()


async def listen(port: int, path: str, key: str, readers: int) -> None:
    """Opens all streams, says so, and reads until the process is ended."""
    subscribers = Readers(readers)
    headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
    message = request("GET", path, b"", headers)
    loop = asyncio.get_running_loop()
    places = asyncio.Semaphore(AT_ONCE)

    async def attend() -> asyncio.Transport:
        async with places:
            make = partial(Reader, subscribers, message)
            transport, _ = await loop.create_connection(make, "127.0.0.1", port)
            return transport

    # Held: uvloop closes a connection that nobody refers to.
    seats = await asyncio.gather(*(attend() for _ in range(readers)))
    await subscribers.all_begun.wait()
    print("ready", len(seats), flush=True)
    await subscribers.ended.wait()


def main() -> None:
    """The key comes on standard input: arguments are seen by everybody."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("readers", type=int)
    options = parser.parse_args()
    key = sys.stdin.readline().strip()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(listen(options.port, options.path, key, options.readers))


if __name__ == "__main__":
    main()
