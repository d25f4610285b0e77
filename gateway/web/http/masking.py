"""Paths and error texts as they may be logged and shown: without the tokens callers put into
addresses, however they write the address."""

import re
from typing import Final
from urllib.parse import unquote

from gateway.wire.redaction import redact

MASK: Final = "***"
MAX_PATH: Final = 500
"""Characters of a path that are logged."""
_ENCODINGS: Final = 4
"""Times that an address may be percent-encoded; one more hides a token from its server too."""
_TOKENS: Final = re.compile(
    r"(?i:(?<![a-z0-9])(hooks[/\\]+[^/\\]*[/\\]+)).+"  # whatever stands behind a capability URL
    r"|(?<![A-Za-z0-9])(?:st_)?[0-9]{1,15}\.[A-Za-z0-9_-]{43,}"  # its token; that of a stream
    r"|(?i:(?<![a-z0-9])(token=))[^&/\s]+",
    re.DOTALL,
)


def masked(path: str) -> str:
    """A path without the tokens and keys that stand in it; shown decoded if it had any."""
    decoded = _decoded(path)
    shown = redact(_TOKENS.sub(_mask, decoded))
    return (path if shown == decoded else shown)[:MAX_PATH]


def masked_text(text: str) -> str:
    """A sentence that may quote what a caller sent."""
    return redact(_TOKENS.sub(_mask, text))


def _mask(match: re.Match[str]) -> str:
    return f"{match[1] or match[2] or ''}{MASK}"


def _decoded(path: str) -> str:
    for _ in range(_ENCODINGS):
        if "%" not in path:
            break
        path = unquote(path)
    return path
