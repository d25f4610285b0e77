"""Long texts with their middle left out."""

from typing import Final

_CUT: Final = "\n[…]\n"


def head_and_tail(text: str, most: int) -> str:
    """The text in at most `most` characters: scripts say what they did first and the cause last."""
    if len(text) <= most:
        return text
    tail = most // 2
    return f"{text[: most - tail - len(_CUT)]}{_CUT}{text[-tail:]}"
