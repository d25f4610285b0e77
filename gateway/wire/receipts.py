"""Signatures of receipts: `v1,` + base64(HMAC-SHA256(attempt key, "receipts.task.attempt.JSON")).

The JSON is the event's `validation` in the canonical form of RFC 8785. The snapshot repeats these
lines; one file of test vectors checks both.
"""

import json
from hmac import compare_digest

from gateway.wire.signing import sign


def signature(key: bytes, task_id: str, attempt: int, validation: object) -> str:
    """The signature of an attempt's receipts; no webhook can have it, for a full stop is in no
    `webhook-id`."""
    return sign(key, f"receipts.{task_id}", attempt, canonical(validation))


def is_signed(key: bytes, task_id: str, attempt: int, validation: object, given: str) -> bool:
    """True if this key signed these receipts; compared in constant time."""
    expected = signature(key, task_id, attempt, validation)
    return compare_digest(expected.encode(), given.encode())


def canonical(value: object) -> bytes:
    """JSON by RFC 8785, of numbers with few digits."""
    text = json.dumps(
        _whole_numbers(value), ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return text.encode(errors="replace")


def _whole_numbers(value: object) -> object:
    """The value with `1.0` as `1`, which is the same number in JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return value
