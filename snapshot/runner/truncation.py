"""Truncation of text that never cuts a secret: redaction must find each one whole in its piece."""

import re
from typing import Final

KEY_CHARACTERS: Final = 16_000
"""Longer than any private key: a key without an end delays no more text than this."""
WORD_CHARACTERS: Final = 4_096
"""Longer than any token without a blank."""
_BEGIN: Final = "-----BEGIN "
_END: Final = "-----END "
_CHARACTER: Final = r"[^\s\"'<>(){}\[\],;]"
_LAST_TOKEN: Final = re.compile(rf"{_CHARACTER}+\Z")
_FIRST_WORD: Final = re.compile(rf"\A{_CHARACTER}+")


def end_of_piece(text: str, most: int) -> int:
    """The end of the first piece, at most `most` characters (1 or more).

    It lies behind a line, or at least not in a word, and never in a private key.
    """
    end = text.rfind("\n", 0, most) + 1 or _before_word(text, most)
    return _before_key(text, end) or end


def first_of(text: str, most: int) -> str:
    """The first `most` characters, without the beginning of a word or of a private key."""
    if len(text) <= most:
        return text
    end = _before_word(text, most)
    return text[: _before_key(text, end) or end]


def last_of(text: str, most: int) -> str:
    """The last `most` characters, without the end of a line, of a word or of a private key."""
    start = max(0, len(text) - most)
    key = _open_key(text, start)
    if key is not None and (end := text.find(_END, start)) != -1:
        start = end
    line = text.find("\n", start - 1, start + most // 4)
    if start > 0 and line != -1:
        return text[line + 1 :]
    return text[start:] if _before_word(text, start) == start else _FIRST_WORD.sub("", text[start:])


def _before_word(text: str, end: int) -> int:
    """The start of the word that `end` would cut; `end` if it is longer than any secret."""
    start = max(0, end - WORD_CHARACTERS)
    word = _LAST_TOKEN.search(text[start:end])
    return end if word is None or word.start() == 0 else start + word.start()


def _before_key(text: str, end: int) -> int | None:
    """The start of the line in which a private key begins that `end` would cut."""
    key = _open_key(text, end)
    return None if key is None else text.rfind("\n", 0, key) + 1 or key


def _open_key(text: str, end: int) -> int | None:
    """The start of a private key that does not end before `end`."""
    key = text.rfind(_BEGIN, max(0, end - KEY_CHARACTERS), end)
    return None if key == -1 or text.find(_END, key, end) != -1 else key
