"""The whole prompt of the task, where the environment held only its beginning."""

import time
from collections.abc import Callable
from typing import Final

import httpx
import msgspec

from .channel import SignedChannel
from .post import message_id
from .trouble import Trouble

TRIES: Final = 6


class _Answer(msgspec.Struct):
    prompt: str


def fetch(channel: SignedChannel, url: str, *, sleep: Callable[[float], None] = time.sleep) -> str:
    """Get the prompt that did not fit the environment.

    Raises:
        Trouble: `prompt_unavailable`.
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
            return _decoded(response)
        detail = f"HTTP {response.status_code}"
        if response.status_code < 500 and response.status_code != 429:
            break
    raise Trouble(
        "prompt_unavailable", f"the whole prompt could not be read: {detail}", retryable=True
    )


def _decoded(response: httpx.Response) -> str:
    try:
        return msgspec.json.decode(response.content, type=_Answer).prompt
    except msgspec.MsgspecError as exc:
        message = f"the whole prompt could not be read: {exc}"
        raise Trouble("prompt_unavailable", message) from exc
