"""Checks that request bodies are I-JSON (RFC 7493), which every JSON reader understands alike.

Refused are numbers that no double holds, half surrogates, noncharacters and duplicate names: some
readers round them, some take the last, some fail. A program's log and patch may contain
noncharacters, for they must not be lost. U+0000 is allowed in I-JSON; fields forbid it by pattern.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from gateway.wire.decode import MAX_ERRORS, Path, check_depth, wrong_shape
from gateway.wire.scrubbing import RAW

LARGEST: Final = 2**53 - 1
LONGEST_REAL: Final = 64
"""Characters; no writer needs more for a double."""
DIGITS: Final = 17
"""Significant digits that a double holds."""
_TOKEN: Final = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"(?:\s*+:)?|[0-9][0-9.]{15}|[0-9][eE]', re.DOTALL
)
"""A string, with its colon if it is a name; outside of strings, a number that may be too long."""
_ESCAPED: Final = re.compile(rb"\\u(?:[dD][89a-fA-F]|[fF][dDfF][dDeEfF])")
_HIGH: Final = re.compile(rb"\xbf[\xbe\xbf]|\xef\xb7")
_QUOTE: Final = ord('"')
_COLON: Final = ord(":")
_RAW: Final = msgspec.json.Decoder(msgspec.Raw).decode
_DECODE: Final = msgspec.json.Decoder().decode
_ENCODE: Final = msgspec.json.Encoder().encode
SHORT: Final = 8 * 1024
"""Bytes of a body that may be decoded for this check alone."""
_NUMBERS: Final = bytes.maketrans(b"123456789.E", b"0000000000e")
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NONCHARACTER: Final = re.compile(
    "[\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr(plane * 0x10000 + last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
    + "]"
)


class _Wrong:
    """A wrong value in a decoded body."""

    def __init__(self, message: str) -> None:
        self.message = message


class _Twice(dict[str, object]):
    """An object with a duplicate name."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.name = next(name for name, count in counts.items() if count > 1)


def is_suspect(body: bytes) -> bool:
    """True if a body may violate I-JSON; takes some nanoseconds a byte."""
    try:
        if len(body) <= SHORT and _is_simple(body):
            return False
        _RAW(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _HALF.search(body) is not None  # `decode` reports anything else that is no JSON
    except RecursionError:
        return False
    return (
        (b"\\u" in body and _ESCAPED.search(body) is not None)
        or (not body.isascii() and _HIGH.search(body) is not None)
        or _needs_check(
            [match[0] for match in _TOKEN.finditer(body)]
        )  # a step for each token lets other threads run
    )


def check(body: bytes) -> None:
    """Refuses a body that is JSON and not I-JSON.

    Raises:
        WrongShape: `invalid_request`, naming each path; `invalid_json` if it is nested too deeply.
    """
    check_depth(body)
    try:
        value = json.loads(body, parse_int=_integer, parse_float=_real, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return
    mistakes = list(islice(_mistakes(value, ()), MAX_ERRORS))
    if mistakes:
        raise wrong_shape(mistakes)


def _is_simple(body: bytes) -> bool:
    """True for most bodies: no token needs a check of its own. A duplicate name, with its colon,
    is missing when the object is encoded again."""
    shape = body.translate(_NUMBERS)
    if b"\\u" in body or b"0e" in shape or b"0000000000000000" in shape:
        return False
    is_usual = body.isascii() or _HIGH.search(body) is None
    return is_usual and _ENCODE(_DECODE(body)).count(b":") == body.count(b":")


def _needs_check(tokens: list[bytes]) -> bool:
    """True if a number is long, or a name occurs twice (maybe in two objects), or is written with
    an escape or spaces, which could hide that."""
    if not tokens or max(tokens)[0] != _QUOTE:  # digits sort behind quotes
        return bool(tokens)
    names = [token for token in tokens if token[-1] == _COLON]
    together = b"".join(names)
    return len(set(names)) < len(names) or b"\\" in together or together.count(b'":') < len(names)


def _integer(text: str) -> object:
    if len(text) <= DIGITS and abs(value := int(text)) <= LARGEST:
        return value
    return _Wrong(f"Expected a whole number from -(2^53 - 1) to 2^53 - 1, not {len(text)} digits")


def _real(text: str) -> object:
    mantissa = text.lower().partition("e")[0].strip("-").replace(".", "").strip("0")
    value = float(text) if len(text) <= LONGEST_REAL else math.inf
    if len(mantissa) <= DIGITS and math.isfinite(value) and (value != 0 or not mantissa):
        return value
    return _Wrong("Expected a number that a double holds: at most 17 digits, and not too large")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else _Twice(pairs)


def _mistakes(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, _Wrong):
        yield path, value.message
    elif isinstance(value, str):
        if message := _wrong_text(value, is_raw=bool(path) and path[-1] in RAW):
            yield path, message
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _mistakes(item, (*path, index))
    elif isinstance(value, dict):
        yield from _mistakes_of_object(value, path)


def _mistakes_of_object(value: dict[str, object], path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, _Twice):
        yield (*path, value.name), "The name stands more than once in its object"
    for name, item in value.items():
        if message := _wrong_text(name):
            yield path, f"Wrong name: {message}"
        yield from _mistakes(item, (*path, name))


def _wrong_text(text: str, *, is_raw: bool = False) -> str | None:
    if _SURROGATE.search(text):
        return "Expected Unicode, not half of a surrogate pair"
    if not is_raw and _NONCHARACTER.search(text):
        return "Expected characters of Unicode, not a noncharacter"
    return None
