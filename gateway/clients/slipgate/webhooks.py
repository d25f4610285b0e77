"""Verification of the webhooks that slipgate sends (Standard Webhooks)."""

import builtins
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from gateway.wire.signing import (
    TOLERANCE_SECONDS,
    MalformedHeaders,
    SignedHeaders,
    secret_bytes,
)
from slipgate.errors import WebhookRejected
from slipgate.types import Event, Task

T = TypeVar("T")


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An authentic webhook."""

    id: str
    """The same each time it is sent: drop one that came before."""
    type: str
    body: dict[str, Any]
    """The whole payload, in the names of JSON."""

    @property
    def event(self) -> Event | None:
        """The event, of all but flat callbacks, tests and event types of one's own."""
        return self._part(Event)

    @property
    def task(self) -> Task | None:
        """The task as it stood when the webhook was written, if it is about one."""
        return self._part(Task)

    def _part(self, kind: "builtins.type[T]") -> T | None:
        data = self.body.get("data")
        found = data.get(kind.__name__.lower()) if isinstance(data, dict) else None
        return None if found is None else msgspec.convert(found, kind)


def verify_webhook(
    body: bytes | str,
    headers: Mapping[str, str],
    secrets: str | Iterable[str],
    *,
    tolerance: int = TOLERANCE_SECONDS,
    now: float | None = None,
) -> Webhook:
    """The webhook of a request whose raw `body` is signed with one of the `secrets` (`whsec_…`), at
    most `tolerance` seconds from now.

    Raises:
        WebhookRejected: it is not; answer 401.
        ValueError: a secret is none.
    """
    raw = body.encode() if isinstance(body, str) else body
    keys = [secret_bytes(text) for text in ([secrets] if isinstance(secrets, str) else secrets)]
    try:
        signed = SignedHeaders.parse({name.lower(): text for name, text in headers.items()})
    except MalformedHeaders as exc:
        raise WebhookRejected(str(exc)) from exc
    if not signed.is_timely(time.time() if now is None else now, tolerance=tolerance):
        raise WebhookRejected(f"webhook-timestamp is more than {tolerance} s from now")
    is_signed = [signed.is_signed_by(key, raw) for key in keys]
    if not any(is_signed):
        raise WebhookRejected("webhook-signature was made with none of the secrets")
    try:
        fields = msgspec.json.decode(raw, type=dict[str, Any])
        return Webhook(id=signed.id, type=str(fields["type"]), body=fields)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as exc:
        raise WebhookRejected("the body is no JSON object with a `type`") from exc
