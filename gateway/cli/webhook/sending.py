"""One signed request to an app on this machine, and its answer."""

import re
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import httpx
import typer

from gateway.cli.console.output import CommandFailed
from gateway.domain.deliveries.reasons import ADVICE, refusal
from gateway.loops.deliveries.post import KEPT_ANSWER, WebhookMessage, headers
from gateway.loops.egress.address_guard import is_tls
from gateway.web.deliveries.addresses import masked_url

APP_URL: Final = "http://localhost:3000"
"""The address of an app under development, unless another one is given."""
DEFAULT_ADDRESS: Final = f"{APP_URL}/api/hook"
"""The route of the receiver in the documentation of Next.js."""
_UNAUTHORIZED: Final = (
    "the app refuses the signature: it must verify the raw body with the secret that this was "
    "signed with (SLIPGATE_WEBHOOK_SECRET in its .env.local); restart it after a change"
)
_NO_ROUTE: Final = "the app has no such route: name the right one in the address"
_UNKNOWN: Final = (
    "the app has no such route, or does not know the task: name the right address, or a task that "
    "it knows (--set data.task.id=…, flat --set taskId=…)"
)
_OF_STATUS: Final = {401: _UNAUTHORIZED, 404: _UNKNOWN, 405: _NO_ROUTE}
_PAGE: Final = re.compile(r"\s*<(!doctype html|html)", re.IGNORECASE)


class Answered(NamedTuple):
    """The answer of the app."""

    status: int | None
    reason: str | None
    """The reason of a failure, as in the attempts of a gateway; None: it was taken."""
    text: str
    duration_ms: int

    @property
    def result(self) -> str:
        """`204 (12 ms)`, `401 (deployment_protection) (8 ms)`, `no answer (connect)`."""
        if self.status is None:
            return f"no answer ({self.reason})"
        why = f" ({self.reason})" if self.reason not in {None, "status"} else ""
        return f"{self.status}{why} ({self.duration_ms} ms)"

    @property
    def is_page(self) -> bool:
        """True if the answer is a page for people, as no receiver's is."""
        return _PAGE.match(self.text) is not None

    def failure(self, kind: str, address: str) -> CommandFailed:
        """The failure of a command that sent a webhook of this type to an address."""
        return CommandFailed(
            f"The app at {masked_url(address)} did not take {kind}: {self.result}.",
            f"To mend it: {self.advice or 'look at its log'}.",
        )

    @property
    def advice(self) -> str:
        """The way to mend a failure, where it tells; in the imperative."""
        if self.reason is None:
            return ""
        if self.reason == "status":
            return _OF_STATUS.get(self.status or 0, "its answer and its log say why")
        return ADVICE.get(self.reason, "")


def send(
    app: httpx.Client,
    address: str,
    keys: Sequence[bytes],
    *,
    message_id: str,
    body: bytes,
    now: float,
) -> Answered:
    """Sends a body signed as a gateway would; `now` in Unix seconds. Every failure is an answer."""
    began = time.monotonic()

    def answered(status: int | None, reason: str | None, text: str = "") -> Answered:
        return Answered(status, reason, text, round((time.monotonic() - began) * 1000))

    post = WebhookMessage(webhook_id=message_id, url=address, secrets=tuple(keys), body=body)
    try:
        response = app.post(address, content=body, headers=dict(headers(post, int(now))))
    except httpx.TimeoutException:
        return answered(None, "timeout")
    except httpx.ConnectError as error:
        return answered(None, "tls" if is_tls(error) else "connect")
    except httpx.HTTPError as error:
        return answered(None, f"broken off ({type(error).__name__})")
    text = response.text
    reason = refusal(response.status_code, response.headers, text[:KEPT_ANSWER])
    return answered(response.status_code, reason, text)


def check_address(text: str, option: str) -> None:
    """Raises `BadParameter` unless it is an http or https address."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise typer.BadParameter(f"{exc}", param_hint=option) from exc
    if url.scheme not in {"http", "https"} or not url.host:
        wanted = f"expected an address such as {DEFAULT_ADDRESS}"
        raise typer.BadParameter(wanted, param_hint=option)
