"""The ways to spoil a message: some that nobody means, and those that a forger would try first."""

import base64
import hashlib
import hmac
import string
from collections.abc import Callable
from random import Random
from typing import Final

import msgspec

from tests.fuzz.originals import KEYS, Message

ALPHABET: Final = string.ascii_letters + string.digits + "+/=-_.,: "
HOSTILE: Final = "\x00\t\r\n\xa0\x85²½ÿ\uff10\u0661\u0301\u202e\U0001f511"
"""Among them digits and blanks that only Unicode knows."""
TEXTS: Final = (
    *("", " ", ",", "v1", "v1,", ",v1", "v1 ,", "v1,=", "v1,====", "v1,AA==", "v1a,AAAA"),
    *("null", "0", "-1", "1e9", "1_790_000_000", "+1790000000", "1790000000.0", "0x6ab13b80"),
    *("1790000000000", " 1790000000", "1790000000\n", "01790000000", "9" * 5_000, "v1, " * 99),
    *("sha256=", "sha1=", "sha256=" + "0" * 64, "None", "undefined", "\ufeff", "a.b"),
)


def spoiled(random: Random, message: Message) -> Message:
    """The message, changed in one to four places; now and then it comes out as it was."""
    headers, body = dict(message.headers), message.body
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        where = random.random()
        if where < 0.35:
            name = random.choice(list(message.headers))
            headers[name] = random.choice(_TEXT)(random, headers.get(name, ""))
        elif where < 0.6:
            name = list(message.headers)[-1]
            change = random.choice(_SIGNATURE)
            headers[name] = change(random, Message(headers=headers, body=body))
        elif where < 0.7:
            random.choice(_PLACE)(random, headers)
        else:
            body = random.choice(_BODY)(random, body)
    return Message(headers=headers, body=body)


def _flip(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return "".join(chr(ord(c) ^ (1 << random.randrange(8))) for c in text[at : at + 1]).join(
        (text[:at], text[at + 1 :])
    )


def _drop(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + text[at + random.choice((1, 1, 4)) :]


def _insert(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(ALPHABET + HOSTILE) + text[at:]


def _swap(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + text[at : at + 2][::-1] + text[at + 2 :]


def _cut(random: Random, text: str) -> str:
    return text[: random.randrange(len(text) + 1)]


def _case(random: Random, text: str) -> str:
    return random.choice((text.upper(), text.lower(), text.swapcase(), text.title()))


def _other(random: Random, text: str) -> str:
    return random.choice(TEXTS)


def _padded(random: Random, text: str) -> str:
    blank = random.choice((" ", "  ", "\t", "\n", "\r\n", "\x00", "0", "=", ",", "+"))
    return random.choice((blank + text, text + blank, blank + text + blank))


def _counted(random: Random, text: str) -> str:
    """A number a little beside it."""
    if not (text.isascii() and text.isdecimal() and len(text) < 40):
        return text + random.choice(HOSTILE)
    return str(int(text) + random.choice((-301, -300, -1, 1, 299, 300, 301, 10**9)))


_TEXT: Final[tuple[Callable[[Random, str], str], ...]] = (
    *(_flip, _drop, _insert, _swap, _cut, _case, _other, _padded, _counted),
)


def _mac(message: Message) -> bytes:
    """Whatever the signature holds, as far as it can be read."""
    text = list(message.headers.values())[-1].rpartition(",")[2]
    try:
        return base64.b64decode(text + "==")
    except ValueError:
        return b"\x00" * 32


def _written(mac: bytes) -> str:
    return "v1," + base64.b64encode(mac).decode()


def _other_version(random: Random, message: Message) -> str:
    text = _written(_mac(message))
    version = random.choice(("V1", "v1a", "v01", "v", "v2", "", " v1", "v1 ", "\uff561", "v1,v1"))
    return version + text[2:]


def _other_key(random: Random, message: Message) -> str:
    key = random.choice((b"", b"\x00" * 32, KEYS[0][:-1], KEYS[0] + b"\x00", b"whsec_", KEYS[1]))
    named = [text.encode("utf-8", "replace") for text in list(message.headers.values())[:2]]
    # With the second key it is genuine only over exactly what is sent.
    content = random.choice((message.body, b".".join([*named[::-1], message.body])))
    return _written(hmac.digest(key, content, hashlib.sha256))


def _other_content(random: Random, message: Message) -> str:
    """Somebody got us to sign something else."""
    named = [text.encode("utf-8", "replace") for text in list(message.headers.values())[:2]]
    content = random.choice((message.body, b"", named[0], b"".join([*named, message.body])))
    return _written(hmac.digest(KEYS[0], content, random.choice(("sha256", "sha1", "sha512"))))


def _other_base64(random: Random, message: Message) -> str:
    """The same bytes, written otherwise: whoever compares bytes takes it."""
    text = _written(_mac(message))
    last = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    loose = last[(last.find(text[-2]) + random.randrange(1, 4)) % 64]
    return random.choice(
        (
            text[:-2] + loose + "=",
            text.rstrip("="),
            text + "=",
            text.replace("+", "-").replace("/", "_").swapcase(),
            text[:20] + "\n" + text[20:],
            text + "====",
            "v1," + _mac(message).hex(),
        )
    )


def _flipped_mac(random: Random, message: Message) -> str:
    return _written(_flipped(random, _mac(message)))


def _part_of_mac(random: Random, message: Message) -> str:
    return _written(_mac(message)[: random.randrange(32)])


def _crowd(random: Random, message: Message) -> str:
    """Among many others; past the bound of how many are looked at, it is none."""
    others = [_written(random.randbytes(32)) for _ in range(random.randrange(1, 40))]
    return " ".join([*others, random.choice(("", _written(_mac(message))))])


_SIGNATURE: Final[tuple[Callable[[Random, Message], str], ...]] = (
    *(_other_version, _other_key, _other_content, _other_base64),
    *(_flipped_mac, _part_of_mac, _crowd),
)


def _lost(random: Random, headers: dict[str, str]) -> None:
    headers.pop(random.choice(list(headers)), None)
    headers.setdefault(random.choice(("x", "webhook_id", "Webhook-Id", "")), "")


def _exchanged(random: Random, headers: dict[str, str]) -> None:
    one, two = random.choices(list(headers), k=2)
    headers[one], headers[two] = headers[two], headers[one]


def _shifted(random: Random, headers: dict[str, str]) -> None:
    """A piece goes over the border to the next header: what is signed stays the same text."""
    one, two = list(headers)[:1], list(headers)[1:2]
    for left, right in zip(one, two, strict=False):
        text = f"{headers[left]}.{headers[right]}"
        at = random.randrange(len(text) + 1)
        headers[left], headers[right] = text[:at], text[at + random.choice((0, 1)) :]


_PLACE: Final[tuple[Callable[[Random, dict[str, str]], None], ...]] = (_lost, _exchanged, _shifted)


def _flipped(random: Random, body: bytes) -> bytes:
    if not body:
        return b"\x00"
    at = random.randrange(len(body))
    return body[:at] + bytes((body[at] ^ (1 << random.randrange(8)),)) + body[at + 1 :]


def _without_bytes(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    return body[:at] + body[at + random.choice((1, 2, 16)) :]


def _with_bytes(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    return body[:at] + random.randbytes(random.choice((1, 2, 16))) + body[at:]


def _repeated(random: Random, body: bytes) -> bytes:
    start, end = sorted(random.randrange(len(body) + 1) for _ in range(2))
    return body[:start] + body[start:end] * random.choice((2, 3)) + body[end:]


def _cut_bytes(random: Random, body: bytes) -> bytes:
    return body[: random.randrange(len(body) + 1)]


def _blank(random: Random, body: bytes) -> bytes:
    blank = random.choice((b" ", b"\n", b"\r\n", b"\xef\xbb\xbf", b"\x00", b"[", b"{}", b"1e999"))
    return random.choice((blank + body, body + blank, b"", blank, blank * 200 + body))


def _rewritten(random: Random, body: bytes) -> bytes:
    """Parsed and written again, as a framework does before anybody has verified."""
    try:
        return msgspec.json.format(body, indent=random.choice((1, 2, 4)))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.replace(b'"', b"'")


_BODY: Final[tuple[Callable[[Random, bytes], bytes], ...]] = (
    *(_flipped, _without_bytes, _with_bytes, _repeated, _cut_bytes, _blank, _rewritten),
)
