"""What a provider's HTTP status means for the task."""

from ..failure import Failure

_QUOTA = "insufficient_quota"
_TOO_LONG = ("context_length", "context length", "prompt is too long", "maximum context")

_BY_STATUS = {
    401: ("model_auth", False),
    402: ("model_quota", False),
    403: ("model_auth", False),
    404: ("model_not_found", False),
    429: ("model_rate_limited", True),
}


def refused(status: int, message: str) -> Failure:
    """The failure behind an error answer that the SDK gave up on."""
    code, is_passing = _meaning(status, message.lower())
    return Failure(code, f"the model's provider answered {status}: {message}", retryable=is_passing)


def unreachable(message: str) -> Failure:
    """Nobody answered."""
    return Failure(
        "model_unreachable", f"the model's provider cannot be reached: {message}", retryable=True
    )


def garbage(message: str) -> Failure:
    """An answer that is not the protocol's."""
    return Failure("model_garbage", f"the model's answer is unusable: {message}", retryable=True)


def _meaning(status: int, message: str) -> tuple[str, bool]:
    if status == 429 and _QUOTA in message:
        return "model_quota", False
    if any(sign in message for sign in _TOO_LONG):
        return "model_context_exceeded", False
    if status >= 500:
        return "model_unavailable", True
    return _BY_STATUS.get(status, ("model_refused_request", False))
