"""The Python client through lost answers, kills and restarts of a gateway process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.cli.local.processes import Child, wait_until_ready
from gateway.cli.operations.minting import mint
from slipgate.client import AsyncSlipgate, Event, Slipgate, Task
from slipgate.errors import ConnectionFailed
from tests.app.processes import gateway_process
from tests.stores import NewDatabase
from tests.web.callers import TASK

REPO = TASK["repoUrl"]


class LosesAnswers(httpx.HTTPTransport):
    """A network that breaks off the first answers, after the gateway has given them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.left = count

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if self.left:
            self.left -= 1
            response.close()
            raise httpx.ReadError("connection reset by the test")
        return response


@contextmanager
def restartable(tmp_path: Path, database: NewDatabase) -> Iterator[tuple[Child, str, str]]:
    """A gateway, its address, and a key of its operators."""
    with gateway_process(tmp_path, database=database) as (child, url, environ):
        yield child, url, mint(environ, "ops", "default", "test").key


def restart(child: Child, url: str) -> None:
    child.kill()
    child.start()
    wait_until_ready(url, child)


def test_retries_after_lost_answers_make_one_task(tmp_path: Path, database: NewDatabase) -> None:
    with restartable(tmp_path, database) as (_, url, key):
        http = httpx.Client(transport=LosesAnswers(2))
        with Slipgate(url, key, http=http) as client:
            made = client.create_task(repo_url=REPO, prompt="once")
            assert [task.id for task in client.tasks()] == [made.id]
        http = httpx.Client(transport=LosesAnswers(1))
        # A key is made under no Idempotency-Key: the client may not ask twice.
        with Slipgate(url, key, http=http) as client, pytest.raises(ConnectionFailed):
            client.create_key(scope="read", name="a script")


async def test_streams_and_waits_go_on_over_a_kill(tmp_path: Path, database: NewDatabase) -> None:
    with restartable(tmp_path, database) as (child, url, key):
        async with AsyncSlipgate(url, key) as client:
            task = await client.create_task(repo_url=REPO, prompt="x")
            seen: list[Event] = []
            first = asyncio.Event()

            async def follow() -> None:
                async for event in client.stream(task.id):
                    seen.append(event)
                    first.set()

            following = Following(Slipgate(url, key), task)
            async with asyncio.TaskGroup() as group:
                group.create_task(follow())
                group.create_task(asyncio.to_thread(following.run))
                waiting = group.create_task(client.wait_for(task.id))
                await first.wait()
                await asyncio.to_thread(following.begun.wait)
                await asyncio.to_thread(restart, child, url)
                await client.cancel_task(task.id)
            assert waiting.result().status == "cancelled"
            whole = await client.task_events(task.id)
        assert seen == following.events == list(whole.data)
        assert following.ended is not None
        assert following.ended.status == "cancelled"


class Following:
    """The blocking client, which streams a task and waits for its end."""

    def __init__(self, client: Slipgate, task: Task) -> None:
        self.begun = threading.Event()
        self.events: list[Event] = []
        self.ended: Task | None = None
        self._client = client
        self._task = task

    def run(self) -> None:
        """To be called in a thread."""
        with self._client as client:
            for event in client.stream(self._task.id):
                self.events.append(event)
                self.begun.set()
            self.ended = client.wait_for(self._task.id)


async def test_a_stream_of_the_project_goes_on_where_it_was(
    tmp_path: Path, database: NewDatabase
) -> None:
    with restartable(tmp_path, database) as (child, url, key):
        async with AsyncSlipgate(url, key) as client:
            stream = client.stream(types=iter(["task.created"]))
            ids = []
            for number in range(3):
                task = await client.create_task(repo_url=REPO, prompt=f"{number}")
                ids.append(task.id)
                event = await anext(stream)
                assert (event.task_id, event.type) == (task.id, "task.created")
                if number == 1:
                    await asyncio.to_thread(restart, child, url)
            await stream.aclose()
            assert len(set(ids)) == 3
