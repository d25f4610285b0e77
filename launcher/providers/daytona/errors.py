"""Daytona's refusals in our words: one table from status and text to code.

Its quota errors are 400 like everything else that it does not like: only the text tells them
apart. A refusal that will be the same at the next try is permanent, and says what to do.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from gateway.wire.truncation import head_and_tail
from launcher.providers.protocol import ProviderError

Area = Literal["sandbox", "snapshot"]
"""The part of the API that was asked: a key has scopes for each."""


class Unanswered(ProviderError):
    """Nobody knows whether it was done: the connection broke, or a proxy answered."""


class Conflict(ProviderError):
    """409: the name is taken, or the state is changing."""


class NotThere(ProviderError):
    """404: the API knows no such thing."""


class Rejected(ProviderError):
    """400: something about the request is not taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    """A refusal that is told by its text."""

    pattern: re.Pattern[str]
    code: str
    retryable: bool
    advice: str = ""


def _rule(pattern: str, code: str, *, retryable: bool, advice: str = "") -> _Rule:
    return _Rule(
        pattern=re.compile(pattern, re.IGNORECASE), code=code, retryable=retryable, advice=advice
    )


_SUSPENDED: Final = _rule(r"organi[sz]ation .*suspended", "provider_suspended", retryable=False)
_BY_TEXT: Final = (
    _rule(
        r"snapshot .* not found",
        "snapshot_not_found",
        retryable=False,
        advice="Make it with `slipgate snapshot build`, or name another one.",
    ),
    _rule(
        r"snapshot .* is not available in region",
        "snapshot_not_found",
        retryable=False,
        advice="Set DAYTONA_TARGET to a region that has it.",
    ),
    _rule(
        r"snapshot \S+ is inactive",
        "snapshot_inactive",
        retryable=False,
        advice="It rests after two weeks without use: `slipgate snapshot check NAME --activate`.",
    ),
    _rule(
        r"snapshot \S+ is (build_failed|error)\b",
        "snapshot_broken",
        retryable=False,
        advice="Its build failed: `slipgate snapshot build` makes another one, of the next name.",
    ),
    _rule(
        r"snapshot \S+ is (removing|removed)",
        "snapshot_not_found",
        retryable=False,
        advice="It is being deleted. Name another one.",
    ),
    # Any other state, a new one too, passes.
    _rule(r"snapshot \S+ is \w+\W*$", "provider_unavailable", retryable=True),
    _rule(
        r"exceeds maximum allowed per sandbox",
        "provider_quota",
        retryable=False,
        advice="The snapshot wants more than one sandbox may have.",
    ),
    _rule(r"limit exceeded", "provider_quota", retryable=True),
    _rule(r"sandbox failed to start", "sandbox_error", retryable=True),
)
_SCOPES: Final[dict[Area, str]] = {
    "sandbox": "The key needs the scopes write:sandboxes and delete:sandboxes",
    "snapshot": "The key needs the scope write:snapshots",
}
_OF_SCOPES: Final = re.compile(
    r"^(http 403|forbidden)?$|forbidden resource|permission|access denied|scope", re.IGNORECASE
)
"""A 403 that is about the key; any other (a region, an unverified address) speaks for itself."""
_OF_LIFESPAN: Final = re.compile(
    r"\bttl|(?-i:[a-z_]T(tl|TL))|life[ -]?(span|time)|time[ -]to[ -]live|auto[ -]?destroy",
    re.IGNORECASE,
)
MESSAGE_LENGTH: Final = 1_000
"""Of so long a refusal (characters) its ends are shown; it is judged by the whole."""


def refusal(
    status: int, message: str, *, area: Area = "sandbox", retry_after: float = 0.0
) -> ProviderError:
    """The error for an answer with this status (HTTP) and message; `retry_after` in seconds."""
    whole = " ".join(message.split()) or f"HTTP {status}"
    text = head_and_tail(whole, MESSAGE_LENGTH)
    if _SUSPENDED.pattern.search(whole):
        return _reported(_SUSPENDED, text)
    if status == 401:
        return _permanent("provider_auth", text, "Check DAYTONA_API_KEY of the launcher.")
    if status == 403:
        return _permanent("provider_auth", text, _SCOPES[area] if _OF_SCOPES.search(whole) else "")
    if status == 409:
        return Conflict("provider_unavailable", f"Daytona: {text}", retryable=True)
    if status == 429:
        return ProviderError("provider_quota", text, retryable=True, retry_after=retry_after)
    if status >= 500:
        return unanswered(text, retry_after)
    if status == 408:
        return unavailable(text)
    return _by_text(status, whole)


def unavailable(message: str) -> ProviderError:
    """It cannot just now."""
    return ProviderError("provider_unavailable", f"Daytona: {message}", retryable=True)


def unanswered(message: str, retry_after: float = 0.0) -> Unanswered:
    """Nobody knows whether it was done."""
    return Unanswered(
        "provider_unavailable", f"Daytona: {message}", retryable=True, retry_after=retry_after
    )


def command_failed(code: int, output: str) -> ProviderError:
    """A command in the sandbox did not do what it was for."""
    said = head_and_tail(output.strip(), MESSAGE_LENGTH)
    return unanswered(f"a command in the sandbox ended with {code}{said and f': {said}'}")


def is_about_lifespan(error: ProviderError) -> bool:
    """Whether it would be taken without `ttlMinutes`: the words differ by release."""
    return isinstance(error, Rejected) and _OF_LIFESPAN.search(error.message) is not None


def _by_text(status: int, whole: str) -> ProviderError:
    kind = NotThere if status == 404 else Rejected
    text = head_and_tail(whole, MESSAGE_LENGTH)
    for rule in _BY_TEXT:
        if rule.pattern.search(whole):
            told = _reported(rule, text)
            return kind(told.code, told.message, retryable=told.retryable)
    return kind("provider_refused", f"Daytona does not take it: {text}", retryable=False)


def _reported(rule: _Rule, text: str) -> ProviderError:
    if rule.retryable:
        return ProviderError(rule.code, text, retryable=True)
    return _permanent(rule.code, text, rule.advice)


def _permanent(code: str, text: str, advice: str) -> ProviderError:
    return ProviderError(code, f"{text.rstrip('.')}. {advice}".rstrip(), retryable=False)
