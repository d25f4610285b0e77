"""The whole prompt of the task, where the environment held only its beginning."""

import time
from collections.abc import Callable

import msgspec

from . import signed_get
from .channel import SignedChannel


class _Answer(msgspec.Struct):
    prompt: str


def fetch(channel: SignedChannel, url: str, *, sleep: Callable[[float], None] = time.sleep) -> str:
    """Get the prompt that did not fit the environment.

    Raises:
        Trouble: `prompt_unavailable`.
    """
    what = "the whole prompt"
    code = "prompt_unavailable"
    return signed_get.fetch(channel, url, _Answer, code=code, what=what, sleep=sleep).prompt
