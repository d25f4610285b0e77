"""What a program said when it failed, cut so that its reason is kept.

git ends with its own line, and the remote's reason stands far before it: the lines that name a
reason come first, then the beginning and the end.
"""

import re
from typing import Final

from .truncation import first_of, last_of

GAP: Final = "[…]"
_REASON: Final = re.compile(
    r"\b(?:error|fatal|GH\d{3}|denied|declin\w+|violat\w+|protected|not allowed|forbidden"
    r"|refus\w+|rejected|secrets?|exceeds|unable to|could not|HTTP \d{3}|returned error)\b",
    re.IGNORECASE,
)
_TERMINAL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BLANK_REMOTE: Final = re.compile(r"remote:\s*")


def summarize_stderr(text: str, most: int) -> str:
    """About so many characters of it at most, 100 or more; of less, only progress is lost."""
    lines = [line for line in map(_last_state, text.split("\n")) if line]
    whole = "\n".join(lines)
    if len(whole) <= most:
        return whole
    reasons = "\n".join(dict.fromkeys(line for line in lines if _REASON.search(line)))
    parts = (first_of(reasons, most // 2), first_of(whole, most // 4), last_of(whole, most // 4))
    return f"\n{GAP}\n".join(part.strip() for part in parts if part.strip())


def _last_state(line: str) -> str:
    """A line as a terminal would show it at the end; empty if it says nothing."""
    shown = _TERMINAL.sub("", line.rstrip().rpartition("\r")[2]).rstrip()
    return "" if _BLANK_REMOTE.fullmatch(shown) else shown
