"""Daytona's refusals in our words: one table from status and text to code.

Its quota errors are 400 like everything else that it does not like: only the text tells them
apart. A refusal that will be the same at the next try is permanent, and says what to do.
"""

import re
from dataclasses import dataclass
from typing import Final

from launcher.providers.protocol import ProviderError


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
        r"snapshot \S+ is (building|pending|pulling|snapshotting)",
        "snapshot_inactive",
        retryable=True,
    ),
    _rule(
        r"snapshot \S+ is \w+",
        "snapshot_inactive",
        retryable=False,
        advice="Activate it in Daytona's dashboard: it rests after two weeks without use.",
    ),
    _rule(
        r"exceeds maximum allowed per sandbox",
        "provider_quota",
        retryable=False,
        advice="The snapshot wants more than one sandbox may have.",
    ),
    _rule(r"limit exceeded", "provider_quota", retryable=True),
    _rule(r"sandbox failed to start", "sandbox_error", retryable=True),
    _rule(r"organization is suspended", "provider_auth", retryable=False),
)
_MESSAGE_LENGTH: Final = 500


def refusal(status: int, message: str) -> ProviderError:
    """The error for an answer with this status (HTTP) and message."""
    text = " ".join(message.split())[:_MESSAGE_LENGTH] or f"HTTP {status}"
    if status == 401:
        return _permanent("provider_auth", text, "Check DAYTONA_API_KEY of the launcher.")
    if status == 403:
        return _permanent(
            "provider_auth", text, "The key needs the scopes write:sandboxes and delete:sandboxes."
        )
    if status == 429:
        return ProviderError("provider_quota", text, retryable=True)
    if status in (408, 409) or status >= 500:
        return unavailable(text)
    for rule in _BY_TEXT:
        if rule.pattern.search(text):
            return _told(rule, text)
    return ProviderError("provider_refused", f"Daytona does not take it: {text}", retryable=False)


def unavailable(message: str) -> ProviderError:
    """It cannot just now."""
    return ProviderError("provider_unavailable", f"Daytona: {message}", retryable=True)


def _told(rule: _Rule, text: str) -> ProviderError:
    if rule.advice:
        return _permanent(rule.code, text, rule.advice)
    return ProviderError(rule.code, text, retryable=rule.retryable)


def _permanent(code: str, text: str, advice: str) -> ProviderError:
    return ProviderError(code, f"{text.rstrip('.')}. {advice}", retryable=False)
