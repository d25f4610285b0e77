"""Truncation of long texts in the middle."""

from typing import Final

_CUT: Final = "\n[…]\n"


def head_and_tail(text: str, most: int) -> str:
    """The text in at most `most` characters, its end kept: there is the cause of a failure."""
    if len(text) <= most:
        return text
    tail = most // 2
    return f"{text[: most - tail - len(_CUT)]}{_CUT}{text[-tail:]}"
