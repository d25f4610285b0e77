"""The session that Codex records while it works: only there stands the usage of each answer."""

import os
from pathlib import Path
from typing import Final

import msgspec

from ..prices import Prices
from ..usage import Tokens
from .lines import Lines

READ_BYTES: Final = 8 * 1024**2
"""At once; what is left is read with the next event."""


class _Counts(msgspec.Struct):
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0


class _Info(msgspec.Struct):
    last_token_usage: _Counts | None = None


class _Payload(msgspec.Struct):
    type: str = ""
    usage: _Counts | None = None
    info: _Info | None = None


class _Line(msgspec.Struct):
    type: str = ""
    payload: _Payload | None = None


class Rollout:
    """Reads on where it ended; the file lies where the agent's commands write, too."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._lines = Lines()
        self._offset = 0
        self._has_records = False

    def turns(self, path: Path | None) -> tuple[Tokens, ...]:
        """The model's answers that were recorded since the last call."""
        piece = _read(path, self._offset) if path is not None else b""
        self._offset += len(piece)
        counted = (self._counts(line) for line in self._lines.feed(piece))
        return tuple(self._tokens(counts) for counts in counted if counts is not None)

    def _counts(self, line: bytes) -> _Counts | None:
        """The usage of an answer: newer releases record it before its tools run, older ones
        behind them, and newer ones then again."""
        try:
            printed = msgspec.json.decode(line, type=_Line)
        except (msgspec.MsgspecError, RecursionError):
            return None
        if printed.payload is None:
            return None
        if printed.type == "token_usage_record":
            self._has_records = True
            return printed.payload.usage
        if printed.payload.type == "token_count" and not self._has_records and printed.payload.info:
            return printed.payload.info.last_token_usage
        return None

    def _tokens(self, counts: _Counts) -> Tokens:
        return self._prices.tokens(
            {
                "input_tokens": counts.input_tokens,
                "input_tokens_details": {"cached_tokens": counts.cached_input_tokens},
                "output_tokens": counts.output_tokens,
            },
            "responses",
        )


def _read(path: Path, offset: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, READ_BYTES, offset)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
