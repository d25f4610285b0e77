"""Turns words into messages: the envelope, the signature, nothing secret in them."""

import secrets
import time
from typing import Protocol

import msgspec

from .events import Envelope, Event, now_text
from .redaction import Redaction
from .spool import Message


class Signs(Protocol):
    """What signs a message; without a secret there is none."""

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """One signature entry."""


def message_id() -> str:
    """A new `webhook-id`; it holds no full stop, which the signed content uses as separator."""
    return f"msg_{secrets.token_hex(16)}"


class MessageBuilder:
    """Writes the messages of one attempt."""

    def __init__(
        self, *, task_id: str, attempt: int, signer: Signs | None, redaction: Redaction
    ) -> None:
        self._task_id = task_id
        self._attempt = attempt
        self._signer = signer
        self._redaction = redaction

    def message(self, word: Event) -> Message:
        """A word as a signed message of now."""
        body = self.body(word)
        identifier = message_id()
        timestamp = int(time.time())
        signature = self._signer.sign(identifier, timestamp, body) if self._signer else ""
        return Message(id=identifier, timestamp=timestamp, signature=signature, body=body)

    def body(self, word: Event) -> bytes:
        """The exact bytes of a webhook body."""
        fields = msgspec.to_builtins(word)
        data: dict[str, object] = {"taskId": self._task_id, "attempt": self._attempt}
        data |= {name: self._redaction.tree(value) for name, value in fields.items()}
        envelope = Envelope(type=word.type, timestamp=now_text(), data=data)
        return msgspec.json.encode(envelope)
