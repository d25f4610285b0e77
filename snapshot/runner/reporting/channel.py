"""How one message travels: signed to the gateway, or flat to whoever cannot check signatures."""

import re
import time
from typing import Final, Protocol

import httpx
import msgspec

from ..network.client import PLAIN, Network
from ..secret import Secret
from . import flat
from .delivery import ClockSkewed, Delivered, DeliveryResult, Unreachable, classify
from .events import Envelope
from .signing import Signer
from .spool import Message

TIMEOUT: Final = httpx.Timeout(15.0, connect=5.0)


TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?")
"""As W3C Trace Context writes it; anything else is not sent."""


class Channel(Protocol):
    """Takes one message to its receiver; never raises for what the network does."""

    def deliver(self, message: Message) -> DeliveryResult:
        """Send it once."""


class SignedChannel:
    """Standard Webhooks to the gateway; each sending has a fresh timestamp and the same id."""

    def __init__(
        self, *, url: str, signer: Signer, traceparent: str | None, network: Network = PLAIN
    ) -> None:
        self._url = url
        self._signer = signer
        self._skew_seconds = 0.0
        headers = {"content-type": "application/json", "user-agent": "slipgate-snapshot"}
        if traceparent and TRACEPARENT.fullmatch(traceparent):
            headers["traceparent"] = traceparent
        self._client = network.client(url, timeout=TIMEOUT, headers=headers)

    def deliver(self, message: Message) -> DeliveryResult:
        """Send it; if only our clock is wrong, set it by the gateway's and send once more."""
        result = self._send("POST", self._url, message.id, message.body)
        if isinstance(result, ClockSkewed):
            self._skew_seconds = result.skew_seconds
            result = self._send("POST", self._url, message.id, message.body)
        return result

    def fetch(self, url: str, message_id: str) -> httpx.Response:
        """A signed GET over an empty body.

        Raises:
            httpx.RequestError: nobody answered.
            httpx.InvalidURL: nobody can be asked there.
        """
        return self._request("GET", url, message_id, b"")

    def _send(self, method: str, url: str, message_id: str, body: bytes) -> DeliveryResult:
        try:
            return classify(self._request(method, url, message_id, body))
        except (httpx.RequestError, httpx.InvalidURL) as exc:
            return Unreachable(detail=str(exc) or type(exc).__name__)

    def _request(self, method: str, url: str, message_id: str, body: bytes) -> httpx.Response:
        timestamp = int(time.time() + self._skew_seconds)
        signed = {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": self._signer.sign(message_id, timestamp, body),
        }
        return self._client.request(method, url, headers=signed, content=body)


class FlatChannel:
    """The unsigned payload of today's scripts; words it has no form for are not sent."""

    def __init__(
        self, *, url: Secret, task_id: str, workspace_id: str, network: Network = PLAIN
    ) -> None:
        self._url = url
        self._task_id = task_id
        self._workspace_id = workspace_id
        self._client = network.client(url.value, timeout=TIMEOUT, headers={})

    def deliver(self, message: Message) -> DeliveryResult:
        """Send the flat form of a message, if it has one."""
        envelope = msgspec.json.decode(message.body, type=Envelope)
        payload = flat.payload(envelope)
        if payload is None:
            return Delivered(applied=True, cancel=False, deadline_at=None)
        payload |= {
            "id": message.id,
            "taskId": self._task_id,
            "workspaceId": self._workspace_id,
        }
        try:
            return classify(self._client.post(self._url.value, json=payload))
        except (httpx.RequestError, httpx.InvalidURL) as exc:
            return Unreachable(detail=type(exc).__name__)
