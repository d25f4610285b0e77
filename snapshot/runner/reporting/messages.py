"""Signed webhook messages, made of events without their secrets."""

import secrets
import time
from datetime import UTC, datetime

import msgspec

from .events import Envelope, Event, PushRequest, Result
from .redaction import Redaction
from .signing import Signer


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as first signed: one line of the spool, where `body` is base64."""

    id: str
    timestamp: int
    signature: str
    body: bytes


def message_id() -> str:
    """A new `webhook-id`, without a full stop: the signed content uses it as separator."""
    return f"msg_{secrets.token_hex(16)}"


class MessageBuilder:
    """Builds the messages of one attempt; without a signer they are unsigned."""

    def __init__(
        self, *, task_id: str, attempt: int, signer: Signer | None, redaction: Redaction
    ) -> None:
        self._task_id = task_id
        self._attempt = attempt
        self._signer = signer
        self._redaction = redaction

    def message(self, event: Event) -> Message:
        body, identifier, timestamp = self._body(event), message_id(), int(time.time())
        signature = self._signer.sign(identifier, timestamp, body) if self._signer else ""
        return Message(id=identifier, timestamp=timestamp, signature=signature, body=body)

    def is_ours(self, message: Message) -> bool:
        """True if this attempt's key signed the message, or if there is no key."""
        return self._signer is None or self._signer.is_ours(
            message.id, message.timestamp, message.body, message.signature
        )

    def _body(self, event: Event) -> bytes:
        data: dict[str, object] = {"taskId": self._task_id, "attempt": self._attempt}
        fields = msgspec.to_builtins(event).items()
        data |= {name: self._redaction.tree(value) for name, value in fields}
        if self._signer is not None and isinstance(event, Result | PushRequest):
            data["receiptsSignature"] = self._signer.sign_receipts(
                self._task_id, self._attempt, data["validation"]
            )
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return msgspec.json.encode(Envelope(type=event.type, timestamp=now, data=data))
