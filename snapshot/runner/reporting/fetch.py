"""Signed reads from the gateway: the whole prompt, an earlier attempt's patch, GitHub tokens."""

from collections.abc import Callable
from typing import Final, TypeVar

import httpx
import msgspec

from ..failure import Failure
from ..github_token import RenewedToken
from .channel import TIMEOUT, SignedChannel
from .delivery import Fenced, Rejected, classify
from .kept_patch import KeptPatch
from .messages import message_id

TRIES: Final = 6
LONG_TIMEOUT: Final = httpx.Timeout(40.0, connect=5.0)
"""The gateway waits for 25 s for a launcher."""
T = TypeVar("T")


class _Prompt(msgspec.Struct):
    prompt: str


class _Patch(msgspec.Struct, rename="camel"):
    base_sha: str | None
    patch: str
    summary: str | None = None
    warnings: tuple[str, ...] = ()


def fetch_prompt(channel: SignedChannel | None, url: str, sleep: Callable[[float], None]) -> str:
    """The prompt that did not fit in the environment; raises `prompt_unavailable`."""
    code, name = "prompt_unavailable", "the whole prompt"
    if channel is None:
        raise Failure(code, f"{name} is fetched with a signature: set SLIPGATE_WEBHOOK_SECRET")
    return _fetch(channel, url, _Prompt, code=code, name=name, sleep=sleep).prompt


def fetch_patch(channel: SignedChannel, url: str, sleep: Callable[[float], None]) -> KeptPatch:
    """The patch that the gateway keeps of an earlier attempt; raises `resume_unavailable`."""
    code, name = "resume_unavailable", "the earlier attempt's patch"
    found = _fetch(channel, url, _Patch, code=code, name=name, sleep=sleep)
    return KeptPatch(
        text=found.patch,
        base_sha=found.base_sha or "",
        summary=found.summary or "",
        warnings=found.warnings,
    )


def fetch_github_token(
    channel: SignedChannel, url: str, sleep: Callable[[float], None]
) -> RenewedToken:
    """A new token for the task's repository; raises `github_token_refused`."""
    code, name = "github_token_refused", "a new GitHub token"
    return _fetch(
        channel, url, RenewedToken, code=code, name=name, sleep=sleep, timeout=LONG_TIMEOUT
    )


def _fetch(
    channel: SignedChannel,
    url: str,
    shape: type[T],
    *,
    code: str,
    name: str,
    sleep: Callable[[float], None],
    timeout: httpx.Timeout = TIMEOUT,
) -> T:
    """Raises `Failure`, retryable unless the gateway itself refuses."""
    detail = ""
    for number in range(TRIES):
        if number:
            sleep(0.5 * 2**number)
        try:
            response = channel.fetch(url, message_id(), timeout=timeout)
        except (httpx.RequestError, httpx.InvalidURL) as exc:
            detail = str(exc) or type(exc).__name__
            continue
        if response.is_success:
            return _decoded(response.content, shape, code=code, name=name)
        refusal = classify(response)
        if isinstance(refusal, Fenced | Rejected):
            raise Failure(code, f"{name} could not be read: the gateway says {refusal.detail}")
        detail = f"HTTP {response.status_code}"
    raise Failure(code, f"{name} could not be read: {detail}", retryable=True)


def _decoded(content: bytes, shape: type[T], *, code: str, name: str) -> T:
    try:
        return msgspec.json.decode(content, type=shape)
    except msgspec.MsgspecError as exc:
        raise Failure(code, f"{name} could not be read: {exc}") from exc
