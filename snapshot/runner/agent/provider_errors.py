"""The errors of the models' providers: a stable code for each, and the provider's own words."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from ..failure import Failure
from ..text import visible
from ..truncation import first_of
from .chat import mapping
from .usage import Tokens

WORDS_CHARACTERS: Final = 1_000
SEARCHED_CHARACTERS: Final = 20_000
_TOO_LONG: Final = (
    *("context_length", "context length", "context window", "maximum context", "context size"),
    *("prompt is too long", "input is too long", "exceed context limit", "reduce the length"),
    *("exceeds the maximum number of tokens", "maximum prompt length", "model token limit"),
    *("request too large", "request_too_large", "exceed_context"),
)
_NO_CREDIT: Final = (
    *("insufficient_quota", "exceeded your current quota", "credit balance", "billing details"),
    *("insufficient credits", "insufficient balance", "requires more credits", "out of credits"),
    *("billing_", "billing hard limit", "plans & billing", "enable billing", "prepayment credits"),
    *("key limit exceeded", "usage limits", "spending limit", "per-day", "quota_exceeded"),
)
_FOR_LONG: Final = ("perday", "insufficient_quota")
_REFUSAL: Final = (
    *("content_filter", "content filter", "content management policy", "content_policy"),
    *("usage policy", "usage policies", "flagged", "moderation", "prohibited_content"),
    *("invalid_prompt", "safety system"),
)
_BAD_KEY: Final = ("api key not valid", "api_key_invalid", "invalid api key", "invalid_api_key")
_NO_MODEL: Final = ("model_not_found", "not a valid model", "no endpoints found")
_SIGNS: Final = (
    ("model_context_exceeded", _TOO_LONG),
    ("model_quota", _NO_CREDIT),
    ("model_refused", _REFUSAL),
    ("model_auth", _BAD_KEY),
    ("model_not_found", _NO_MODEL),
)
"""In this order: the words of a lower line also stand in errors of a higher one."""
_BY_STATUS: Final = {
    401: "model_auth",
    402: "model_quota",
    403: "model_auth",
    404: "model_not_found",
    408: "model_unreachable",
    413: "model_context_exceeded",
    429: "model_rate_limited",
}
_BY_TYPE: Final = (
    ("rate_limit", 429),
    ("overloaded", 503),
    ("server_error", 503),
    ("api_error", 503),
    ("timeout", 408),
    ("authentication_error", 401),
    ("permission_error", 403),
)
"""The type of an error in a stream → the status that it would have had."""
TEMPORARY: Final = frozenset(
    {"model_rate_limited", "model_unavailable", "model_unreachable", "model_garbage"}
)
"""Another ask may succeed."""
_WAIT: Final = re.compile(
    r"(?:retry in|try again in|\"retrydelay\":\s*\")\s*(?:(\d{1,6})m)?\s*(\d+(?:\.\d+)?)\s*(ms|s)"
)
_TAG: Final = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.DOTALL)


class ModelFailure(Failure):
    """The model's provider answered with an error, or with nothing that can be used."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        wait_seconds: float | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        super().__init__(code, message, retryable=code in TEMPORARY)
        self.wait_seconds = wait_seconds
        """The time after which the provider wants to be asked again, if it named one."""
        self.tokens = tokens
        """Tokens that were paid for without a usable answer."""


def refused(status: int, body: str, headers: Mapping[str, str]) -> ModelFailure:
    """The failure of an error answer."""
    text = body[:SEARCHED_CHARACTERS].lower()
    text_wait = _wait_in_text(text)
    code = _code(status, text, has_wait=text_wait is not None)
    message = f"the model's provider answered {status}: {words(body)}"
    named = _header_wait(headers)
    return ModelFailure(code, message, wait_seconds=text_wait if named is None else named)


def reported(error: object) -> ModelFailure:
    """The failure of an error inside an answer, or inside a stream, that had begun well."""
    body = json.dumps({"error": error}, ensure_ascii=False)
    kind = " ".join(str(mapping(error).get(name)) for name in ("type", "code", "status")).lower()
    number = str(mapping(error).get("code"))
    status = int(number) if number.isdecimal() and len(number) == 3 else 0
    status = status or next((status for sign, status in _BY_TYPE if sign in kind), 0)
    if status:
        return refused(status, body, {})
    text = body[:SEARCHED_CHARACTERS].lower()
    code = _signed(text) or "model_garbage"
    return ModelFailure(code, f"the model's provider reported an error: {words(body)}")


def unreachable(message: str) -> ModelFailure:
    return ModelFailure(
        "model_unreachable", f"the model's provider cannot be reached: {_bounded(message)}"
    )


def broken_off(message: str = "the stream ended too early") -> ModelFailure:
    """The failure of an answer that began and did not end."""
    return ModelFailure("model_unreachable", f"the model's answer broke off: {_bounded(message)}")


def malformed(message: str, body: str = "", *, tokens: Tokens | None = None) -> ModelFailure:
    """The failure of an answer that breaks the protocol."""
    quoted = f": {words(body)}" if body.strip() else ""
    return ModelFailure(
        "model_garbage", f"the model's answer is unusable: {message}{quoted}", tokens=tokens
    )


def declined(reason: str, text: str, *, tokens: Tokens | None = None) -> ModelFailure:
    """The failure of a model that will not do the task, or of a filter before it."""
    quoted = f": {_bounded(text)}" if text.strip() else ""
    return ModelFailure(
        "model_refused", f"the model refused to answer ({_bounded(reason)}){quoted}", tokens=tokens
    )


def words(body: str) -> str:
    """The provider's own words in an error document, or what is readable of a page."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _bounded(_TAG.sub(" ", body))
    first = document[0] if isinstance(document, list) and document else document
    error = mapping(first).get("error", first)
    if not isinstance(error, dict):
        return _bounded(error if isinstance(error, str) else body)
    message = next((error[name] for name in ("message", "detail") if error.get(name)), body)
    raw = mapping(error.get("metadata")).get("raw")
    quoted = [
        part if isinstance(part, str) else json.dumps(part) for part in (message, raw) if part
    ]
    return _bounded(" – ".join(quoted))


def _bounded(text: str) -> str:
    return first_of(" ".join(visible(text).split()), WORDS_CHARACTERS)


def _code(status: int, text: str, *, has_wait: bool) -> str:
    # Google's limits per minute and per day have the same words, and only the first a short wait.
    if status == 429 and has_wait and not any(sign in text for sign in _FOR_LONG):
        return "model_rate_limited"
    if status >= 500:
        return "model_unavailable"
    return _signed(text) or _BY_STATUS.get(status, "model_refused_request")


def _signed(text: str) -> str | None:
    """The code whose signs stand in the text."""
    return next((code for code, signs in _SIGNS if any(sign in text for sign in signs)), None)


def _header_wait(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "")
        try:
            return max(0.0, float(value) / unit)
        except ValueError:
            continue
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    now = datetime.now(UTC) if moment.tzinfo else datetime.now(UTC).replace(tzinfo=None)
    return max(0.0, (moment - now).total_seconds())


def _wait_in_text(text: str) -> float | None:
    found = _WAIT.search(text)
    if found is None:
        return None
    minutes, number, unit = found.groups()
    return 60 * int(minutes or 0) + float(number) / (1000 if unit == "ms" else 1)
