"""Where a text may be cut: whoever looks for secrets in its pieces must find each one whole."""

import re
from typing import Final

KEY_CHARACTERS: Final = 16_000
"""Longer than any private key: one that is begun and never ended holds up no more than this."""
WORD_CHARACTERS: Final = 4_096
"""Longer than any token without a blank in it."""
_BEGIN: Final = "-----BEGIN "
_END: Final = "-----END "
_LETTER: Final = r"[^\s\"'<>(){}\[\],;]"
_LAST_WORD: Final = re.compile(rf"{_LETTER}+\Z")
_FIRST_WORD: Final = re.compile(rf"\A{_LETTER}+")


def end_of_piece(text: str, most: int) -> int:
    """The end of the first piece, of at most so many characters (1 or more): behind a line, or at
    least not in a word, and never in a private key."""
    end = text.rfind("\n", 0, most) + 1 or _before_word(text, most)
    return _before_key(text, end) or end


def first_of(text: str, most: int) -> str:
    """The first of a text, at most so many characters: without the beginning of a word or of a
    private key."""
    if len(text) <= most:
        return text
    end = _before_word(text, most)
    return text[: _before_key(text, end) or end]


def last_of(text: str, most: int) -> str:
    """The last of a text, at most so many characters: from the beginning of a line or a word on,
    and without the end of a private key."""
    start = max(0, len(text) - most)
    key = _open_key(text, start)
    if key is not None and (end := text.find(_END, start)) != -1:
        start = end
    line = text.find("\n", start - 1, start + most // 4)
    if start > 0 and line != -1:
        return text[line + 1 :]
    return text[start:] if _before_word(text, start) == start else _FIRST_WORD.sub("", text[start:])


def _before_word(text: str, end: int) -> int:
    """Before the word that ends there; there, if it is longer than any secret."""
    start = max(0, end - WORD_CHARACTERS)
    word = _LAST_WORD.search(text[start:end])
    return end if word is None or word.start() == 0 else start + word.start()


def _before_key(text: str, end: int) -> int | None:
    """The beginning of the line in which a private key begins."""
    key = _open_key(text, end)
    return None if key is None else text.rfind("\n", 0, key) + 1 or key


def _open_key(text: str, end: int) -> int | None:
    """Where a private key begins that has not ended before there."""
    key = text.rfind(_BEGIN, max(0, end - KEY_CHARACTERS), end)
    return None if key == -1 or text.find(_END, key, end) != -1 else key
