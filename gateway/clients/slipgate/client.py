"""The client of slipgate for scripts and notebooks: `Slipgate`, and `AsyncSlipgate` beside it."""

import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping

import httpx

from slipgate import errors, types
from slipgate.awaiting import AsyncPages, AwaitingClient
from slipgate.blocking import BlockingClient, Pages
from slipgate.connection import RETRY_SECONDS, TIMEOUT, Connection, find_gateway
from slipgate.errors import ApiError, SlipgateError, WaitTimeout, WebhookRejected
from slipgate.exchange import Retries
from slipgate.following import stream, wait_for
from slipgate.operations.operators import Operators
from slipgate.operations.own_events import OwnEvents
from slipgate.operations.protocols import AgentProtocol, LauncherProtocol, ServiceWebhooks
from slipgate.operations.tasks import Tasks
from slipgate.operations.webhooks import Webhooks
from slipgate.operations.workspaces import WorkspaceCalls
from slipgate.types import Delivery, Endpoint, Event, Page, Task
from slipgate.webhooks import Webhook, verify_webhook

__all__ = [
    "ApiError",
    "AsyncPages",
    "AsyncSlipgate",
    "Delivery",
    "Endpoint",
    "Event",
    "Page",
    "Pages",
    "Slipgate",
    "SlipgateError",
    "Task",
    "WaitTimeout",
    "Webhook",
    "WebhookRejected",
    "errors",
    "types",
    "verify_webhook",
]


class Calls(
    Tasks,
    OwnEvents,
    Webhooks,
    Operators,
    WorkspaceCalls,
    AgentProtocol,
    LauncherProtocol,
    ServiceWebhooks,
):
    """A method for each operation of the API."""


class Slipgate(BlockingClient, Calls):
    """A gateway, and what can be asked of it.

    The address and the key are `SLIPGATE_URL` and `SLIPGATE_API_KEY` unless they are given. A
    request is repeated for `retry_seconds` where that has no second effect; an answer may take
    `timeout` seconds.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retry_seconds: float = RETRY_SECONDS,
        http: httpx.Client | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        gateway, retries = find_gateway(url, api_key, environ), Retries(seconds=retry_seconds)
        super().__init__(Connection(gateway, timeout, retries, environ), http)

    def wait_for(self, task_id: str, *, timeout: float | None = None) -> Task:
        """Waits until a task has ended, also across restarts of the gateway.

        Raises:
            WaitTimeout: it had not in `timeout` seconds.
        """
        return self.run(wait_for(task_id, self.connection.long_retries, timeout=timeout))

    def stream(
        self,
        task_id: str | None = None,
        *,
        after: int | str | None = None,
        types: Iterable[str] | None = None,
    ) -> Iterator[Event]:
        """The events of a task until it has ended, or without one those of the project, of these
        `types`, without end. Each comes once and in order, also across restarts of the gateway."""
        items = stream(task_id, self.connection.long_retries, after=after, types=types)
        return self.iterate(items)


class AsyncSlipgate(AwaitingClient, Calls):
    """The same, awaited: `await client.create_task(…)`, `async for` over lists and streams."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retry_seconds: float = RETRY_SECONDS,
        http: httpx.AsyncClient | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        gateway, retries = find_gateway(url, api_key, environ), Retries(seconds=retry_seconds)
        super().__init__(Connection(gateway, timeout, retries, environ), http)

    async def wait_for(self, task_id: str, *, timeout: float | None = None) -> Task:
        """As that of `Slipgate`."""
        return await self.run(wait_for(task_id, self.connection.long_retries, timeout=timeout))

    def stream(
        self,
        task_id: str | None = None,
        *,
        after: int | str | None = None,
        types: Iterable[str] | None = None,
    ) -> AsyncGenerator[Event, None]:
        """As that of `Slipgate`; `contextlib.aclosing` ends one that is left early."""
        items = stream(task_id, self.connection.long_retries, after=after, types=types)
        return self.iterate(items)
