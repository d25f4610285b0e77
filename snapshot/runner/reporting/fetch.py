"""Reads a document of the gateway's, signed like a message over an empty body."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

import httpx
import msgspec

from .channel import SignedChannel
from .post import message_id
from .trouble import Trouble

TRIES: Final = 6
T = TypeVar("T")


def fetch(
    channel: SignedChannel,
    url: str,
    shape: type[T],
    *,
    code: str,
    what: str,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Get it; `code` and `what` name it where that fails.

    Raises:
        Trouble: the gateway does not give it.
    """
    detail = ""
    for number in range(TRIES):
        if number:
            sleep(0.5 * 2**number)
        try:
            response = channel.fetch(url, message_id())
        except (httpx.RequestError, httpx.InvalidURL) as exc:
            detail = str(exc) or type(exc).__name__
            continue
        if response.is_success:
            return _decoded(response, shape, code, what)
        detail = f"HTTP {response.status_code}"
        if response.status_code < 500 and response.status_code != 429:
            break
    raise Trouble(code, f"{what} could not be read: {detail}", retryable=True)


def _decoded(response: httpx.Response, shape: type[T], code: str, what: str) -> T:
    try:
        return msgspec.json.decode(response.content, type=shape)
    except msgspec.MsgspecError as exc:
        raise Trouble(code, f"{what} could not be read: {exc}") from exc
