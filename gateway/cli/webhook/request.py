"""A signed request as somebody has kept it: its headers and its very bytes."""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway.cli.console.output import CommandFailed
from gateway.cli.webhook.secret import STDIN

_REQUEST_LINE: Final = re.compile(r"[A-Z]+ \S+( HTTP/[0-9.]+)?")
_HEADER: Final = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*:(.*)", re.DOTALL)
_END_OF_HEADERS: Final = re.compile(rb"\r?\n\r?\n")


class SignedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Headers, by their names in small letters, and the body as it came."""

    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def parse(cls, raw: bytes) -> "SignedRequest":
        """A saved request: a request line or none, headers, an empty line, the body.

        Raises:
            CommandFailed: it is not of that form.
        """
        head, end, body = raw, "", b""
        if found := _END_OF_HEADERS.search(raw):
            head, end, body = raw[: found.start()], "found", raw[found.end() :]
        lines = head.decode("latin-1").splitlines()
        if lines and _REQUEST_LINE.fullmatch(lines[0]):
            del lines[0]
        if not end:
            raise CommandFailed(
                "The saved request has no empty line between its headers and its body.",
                "Save it as it came: headers, one empty line, and the body without any change.",
            )
        return cls(headers=headers_of(lines), body=body)


def headers_of(lines: Iterable[str]) -> dict[str, str]:
    """`Name: value`, line by line.

    Raises:
        CommandFailed: a line has another form.
    """
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None:
            raise CommandFailed(
                f"{line[:60]!r} is not a header.", "Write it as 'webhook-id: evt_…'."
            )
        headers[found[1].lower()] = found[2].strip()
    return headers


def read_bytes(file: Path) -> bytes:
    """What is in a file, or comes from stdin."""
    return sys.stdin.buffer.read() if str(file) == STDIN else file.read_bytes()
