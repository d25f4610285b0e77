"""Identifiers in TypeID form: a prefix and a UUIDv7 in Crockford base32 (`task_01k…`).

Source: TypeID 0.3, RFC 9562 §5.7. Ids are ordered by time: rows are appended to their index, and
an id is a cursor. The id of an event is derived from its number and needs no column.
"""

import base64
import hashlib
import re
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_SHIFTS: Final = range(120, -1, -10)
TASK_ID_PATTERN: Final = "task_[0-7][0-9a-hjkmnp-tv-z]{25}"
_TASK_ID: Final = re.compile(TASK_ID_PATTERN)

RANDOM_BITS: Final = 74


def typeid(prefix: str, at: int, random_bits: int) -> str:
    """An id of this time (milliseconds); `random_bits` are 74 unpredictable bits."""
    high, low = random_bits >> 62, random_bits & ((1 << 62) - 1)
    value = (at << 80) | (0x7 << 76) | ((high & 0xFFF) << 64) | (0x2 << 62) | low
    return f"{prefix}_{_base32(value)}"


def first_task_id(at: int) -> str:
    """The lower bound of all task ids created at this time (milliseconds) or later."""
    return f"task_{_base32(max(at, 0) << 80)}"


def is_task_id(text: str) -> bool:
    return _TASK_ID.fullmatch(text) is not None


def event_id(at: int, seq: int) -> str:
    """The id of event number `seq`, recorded at this time (milliseconds)."""
    return typeid("evt", at, seq)


def implicit_endpoint_id(project: str, origin: str) -> str:
    """The id of the endpoint for a project's callbacks to one origin."""
    return f"ep_{_digest(project, origin, size=16)}"


def callback_secret_id(project: str) -> str:
    """The id of the first secret that signs a project's callbacks."""
    return f"sec_{_digest(project, size=16)}"


def delivery_id(endpoint_id: str, seq: int) -> str:
    """Endpoint and event number: `dlv_ab3…-17`."""
    return f"dlv_{endpoint_id.removeprefix('ep_')}-{seq}"


def job_id(task_id: str, attempt: int, kind: str, number: int = 1) -> str:
    """Task, attempt and kind: `job_01k…-2-create`, `job_01k…-2-inspect-3`."""
    stem = f"job_{task_id.removeprefix('task_')}-{attempt}-{kind}"
    return stem if number == 1 else f"{stem}-{number}"


def sweep_id(provider: str, realm: str, project: str = "") -> str:
    """The id of a realm's only sweep job for one project or for all; a hash, because the name of a
    realm may contain characters that a path cannot."""
    parts = (provider, realm, project) if project else (provider, realm)
    return f"job_sweep-{_digest(*parts)}"


def orphan_id(sweep: str, name: str, sandbox_id: str) -> str:
    """The id of the job that destroys a sandbox found by this sweep."""
    return f"job_stray-{_digest(sweep, name, sandbox_id)}"


def digest_id(prefix: str, *parts: str) -> str:
    """An id that the same parts always have."""
    return f"{prefix}_{_digest(*parts, size=16)}"


def _digest(*parts: str, size: int = 15) -> str:
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return base64.b32encode(digest[:size]).decode().rstrip("=").lower()


def _base32(value: int) -> str:
    pairs = _PAIRS
    return "".join([pairs[(value >> shift) & 1023] for shift in _SHIFTS])
