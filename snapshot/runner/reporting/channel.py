"""The ways of a message: signed to the gateway, or flat to a receiver that checks no signature."""

import re
import time
from typing import Final, Protocol

import httpx
import msgspec

from ..network.client import PLAIN, Network
from ..variables import Secret
from .delivery import ClockSkewed, Delivered, DeliveryResult, Unreachable, classify
from .events import Completed, Envelope, Error, NeedsReview, Progress, Started
from .messages import Message
from .signing import Signer

TIMEOUT: Final = httpx.Timeout(15.0, connect=5.0)
TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?")
"""The form of W3C Trace Context; anything else is not sent."""


class Channel(Protocol):
    def deliver(self, message: Message) -> DeliveryResult:
        """Send it once; no error of the network is raised."""


class SignedChannel:
    """Standard Webhooks to the gateway; each delivery has a new timestamp and the same id."""

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
        result = self._post(message)
        if isinstance(result, ClockSkewed):
            self._skew_seconds = result.skew_seconds
            result = self._post(message)
        return result

    def fetch(
        self, url: str, message_id: str, *, timeout: httpx.Timeout = TIMEOUT
    ) -> httpx.Response:
        """A signed GET over an empty body. Raises `httpx.RequestError` and `httpx.InvalidURL`."""
        return self._request("GET", url, message_id, b"", timeout)

    def _post(self, message: Message) -> DeliveryResult:
        try:
            return classify(self._request("POST", self._url, message.id, message.body))
        except (httpx.RequestError, httpx.InvalidURL) as exc:
            return Unreachable(detail=str(exc) or type(exc).__name__)

    def _request(
        self,
        method: str,
        url: str,
        message_id: str,
        body: bytes,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> httpx.Response:
        timestamp = int(time.time() + self._skew_seconds)
        signed = {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": self._signer.sign(message_id, timestamp, body),
        }
        return self._client.request(method, url, headers=signed, content=body, timeout=timeout)


class FlatChannel:
    """The unsigned payload of today's scripts; events that have no such form are not sent."""

    def __init__(
        self, *, url: Secret, task_id: str, workspace_id: str, network: Network = PLAIN
    ) -> None:
        self._url = url.value
        self._ids = {"taskId": task_id, "workspaceId": workspace_id}
        self._client = network.client(self._url, timeout=TIMEOUT, headers={})

    def deliver(self, message: Message) -> DeliveryResult:
        payload = flat_payload(msgspec.json.decode(message.body, type=Envelope))
        if payload is None:
            return Delivered()
        try:
            sent = {**payload, "id": message.id, **self._ids}
            return classify(self._client.post(self._url, json=sent))
        except (httpx.RequestError, httpx.InvalidURL) as exc:
            return Unreachable(detail=type(exc).__name__)


class _Data(msgspec.Struct, rename="camel"):
    branch_name: str = ""
    pr_url: str = ""
    message: str = ""
    summary: str = ""
    error: Error | None = None


def flat_payload(envelope: Envelope) -> dict[str, str] | None:
    """The payload that today's frontend reads; None for an event that it does not know.

    A value is a string, empty if absent. `needs_review` is `pr.created` with a pull request, and
    otherwise a failure whose text names the patch, which that frontend shows for review.
    """
    data = msgspec.convert(envelope.data, type=_Data)
    if envelope.type == Started.type:
        return _flat("task.progress", "running", data, message="The agent has started.")
    if envelope.type == Progress.type:
        return _flat("task.progress", "running", data, message=data.message)
    if envelope.type == Completed.type:
        return _flat("task.completed", "success", data, message=data.summary)
    if envelope.type == NeedsReview.type and data.pr_url:
        return _flat("pr.created", "success", data, message=data.summary)
    if envelope.type == NeedsReview.type:
        error = "the patch needs a person's review"
        return _flat("task.failed", "failed", data, message=data.summary, error=error)
    if data.error is not None:
        message, code = data.error.message, data.error.code
        return _flat("task.failed", "failed", data, message=message, error=code)
    return None


def _flat(kind: str, status: str, data: _Data, *, message: str, error: str = "") -> dict[str, str]:
    return {
        "type": kind,
        "status": status,
        "branchName": data.branch_name,
        "prUrl": data.pr_url,
        "message": message,
        "error": error,
    }
