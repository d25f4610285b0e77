"""Daytona's errors as codes: one table from status and text to `ProviderError`.

Its quota errors are 400 like many others: only the text distinguishes them. The message of a
permanent error says what to do.
"""

import re
from typing import Final, Literal

from gateway.wire.truncation import head_and_tail
from launcher.providers.protocol import ErrorRule, ProviderError, find_rule

Area = Literal["sandbox", "snapshot"]
"""The part of the API that was called: a key has scopes for each."""


class Unanswered(ProviderError):
    """The outcome is unknown: the connection broke, or a proxy answered."""


class Conflict(ProviderError):
    """409: the name is taken, or the state is changing."""


class NotThere(ProviderError):
    """404: the API knows no such thing."""


class NoSuchRoute(ProviderError):
    """404: this API has no such path; the answer is not about the resource."""


class Rejected(ProviderError):
    """400: the API does not accept the request."""


_SUSPENDED: Final = ErrorRule(
    r"(organi[sz]ation|account|subscription|billing)\b.*suspended|suspended organi[sz]ation",
    "provider_suspended",
)
_NO_ROUTE: Final = re.compile(
    r"cannot [a-z]+ /|(no|unknown) route|route .*not found", re.IGNORECASE
)
_NOT_THE_RESOURCE: Final = re.compile(r"(organi[sz]ation|region|user|project)\b", re.IGNORECASE)
"""404s about where a resource belongs begin with it: they do not say that the resource is gone."""
_RULES: Final = (
    ErrorRule(
        r"snapshot .* not found",
        "snapshot_not_found",
        "Make it with `slipgate snapshot build`, or name another one.",
    ),
    ErrorRule(
        r"snapshot .* is not available in region",
        "snapshot_not_found",
        "Set DAYTONA_TARGET to a region that has it.",
    ),
    ErrorRule(
        r"snapshot \S+ is inactive",
        "snapshot_inactive",
        "Daytona does so after two weeks without use: `slipgate snapshot check NAME --activate`.",
    ),
    ErrorRule(
        r"snapshot \S+ is (build_failed|error)\b",
        "snapshot_broken",
        "Its build failed: `slipgate snapshot build` makes another one, of the next name.",
    ),
    ErrorRule(
        r"snapshot \S+ is (removing|removed)",
        "snapshot_not_found",
        "It is being deleted. Name another one.",
    ),
    # Any other state, also an unknown one, is transient.
    ErrorRule(r"snapshot \S+ is \w+\W*$", "provider_unavailable", retryable=True),
    ErrorRule(
        r"exceeds maximum allowed per",
        "provider_quota",
        "The snapshot wants more than one sandbox may have.",
    ),
    ErrorRule(r"(limit|quota) exceeded|exceeds? .*\bquota", "provider_quota", retryable=True),
    ErrorRule(
        r"\bregion\b.*not (found|available)|not available in .*region",
        "provider_refused",
        "Set DAYTONA_TARGET to a region of the organisation.",
    ),
    ErrorRule(r"sandbox failed to start", "sandbox_error", retryable=True),
    ErrorRule(
        r"no (available|suitable|healthy) (runner|capacity|host)|(no|insufficient|out of) capacity",
        "provider_unavailable",
        retryable=True,
    ),
)
_SCOPES: Final[dict[Area, str]] = {
    "sandbox": "The key needs the scopes write:sandboxes and delete:sandboxes",
    "snapshot": "The key needs the scope write:snapshots",
}
_ABOUT_SCOPES: Final = re.compile(
    r"^(http 403|forbidden)?$|forbidden resource|permission|access denied|scope", re.IGNORECASE
)
"""A 403 about the key; any other (a region, an unverified address) says enough."""
_ABOUT_LIFESPAN: Final = re.compile(
    r"\bttl|(?-i:[a-z_]T(tl|TL))|life[ -]?(span|time)|\blife\b|time[ -]to[ -]live|auto[ -]?destroy"
    r"|duration|expir(y|ation|es)\b|\bmax\w* (age|run|uptime)|wall[- ]clock",
    re.IGNORECASE,
)
_MISTIMED: Final = frozenset({408, 423, 425})
"""Statuses of requests that came at the wrong moment: a timeout, a lock, too early."""
_ADDRESS: Final = "Is DAYTONA_API_URL right? It ends with /api"
_ABOUT_EPHEMERAL: Final = re.compile(
    r"only ephemeral|must (be|remain) ephemeral|non-ephemeral sandboxes are not", re.IGNORECASE
)
MESSAGE_LENGTH: Final = 1_000
"""Characters that are shown of a message; the whole of it is matched."""


def api_error(
    status: int, message: str, *, area: Area = "sandbox", retry_after: float = 0.0
) -> ProviderError:
    """The error for a response with this HTTP status and message; `retry_after` in seconds."""
    whole = " ".join(message.split()) or f"HTTP {status}"
    text = head_and_tail(whole, MESSAGE_LENGTH)
    if status == 402 or _SUSPENDED.matches(whole):
        return _permanent(_SUSPENDED.code, text, "")
    if status == 401:
        return _permanent("provider_auth", text, "Check DAYTONA_API_KEY of the launcher.")
    if status == 403:
        advice = _SCOPES[area] if _ABOUT_SCOPES.search(whole) else ""
        return _permanent("provider_auth", text, advice)
    if status == 409:
        return Conflict("provider_unavailable", f"Daytona: {text}", retryable=True)
    if status == 429:
        return ProviderError("provider_quota", text, retryable=True, retry_after=retry_after)
    if status >= 500:
        return unanswered(text, retry_after)
    if status in _MISTIMED:
        return unavailable(text)
    return _by_text(status, whole, text)


def unavailable(message: str) -> ProviderError:
    return ProviderError("provider_unavailable", f"Daytona: {message}", retryable=True)


def unanswered(message: str, retry_after: float = 0.0) -> Unanswered:
    return Unanswered(
        "provider_unavailable", f"Daytona: {message}", retryable=True, retry_after=retry_after
    )


def redirected(status: int, address: str) -> ProviderError:
    """`address` is where the server sends its callers."""
    target = address.partition("?")[0] or "nowhere"
    message = f"Daytona's address answers HTTP {status} and sends to {target}"
    return ProviderError("provider_refused", _with_advice(message, _ADDRESS))


def no_document(status: int, media_type: str, retry_after: float = 0.0) -> ProviderError:
    """An answer that is not the API's own: a page of a proxy, or of Daytona's dashboard."""
    if status >= 500:
        return unanswered(f"HTTP {status} from a proxy", retry_after)
    where = "a web page" if "html" in media_type else "a proxy"
    return unanswered(_with_advice(f"HTTP {status} from {where}, not from the API", _ADDRESS))


def command_failed(code: int, output: str) -> ProviderError:
    text = head_and_tail(output.strip(), MESSAGE_LENGTH)
    return unanswered(f"a command in the sandbox ended with {code}{text and f': {text}'}")


def is_about_lifespan(error: ProviderError) -> bool:
    """True if the request may be accepted without `ttlMinutes`; the texts differ by release."""
    return isinstance(error, Rejected) and _ABOUT_LIFESPAN.search(error.message) is not None


def is_about_ephemeral(error: ProviderError) -> bool:
    """True where a stopped sandbox may not be kept: for some regions, and for those with a GPU."""
    return isinstance(error, Rejected) and _ABOUT_EPHEMERAL.search(error.message) is not None


def _by_text(status: int, whole: str, text: str) -> ProviderError:
    if status == 404 and _NO_ROUTE.match(whole):
        return NoSuchRoute("provider_refused", _with_advice(f"Daytona: {text}", _ADDRESS))
    kind = Rejected if status != 404 or _NOT_THE_RESOURCE.match(whole) else NotThere
    rule = find_rule(_RULES, whole)
    if rule is None:
        return kind("provider_refused", f"Daytona does not take it: {text}")
    if rule.retryable:
        return kind(rule.code, text, retryable=True)
    return kind(rule.code, _with_advice(text, rule.advice))


def _permanent(code: str, text: str, advice: str) -> ProviderError:
    return ProviderError(code, _with_advice(text, advice))


def _with_advice(text: str, advice: str) -> str:
    return f"{text.rstrip('.')}. {advice}".rstrip()
