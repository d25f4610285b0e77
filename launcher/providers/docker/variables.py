"""How a container's variables get past the command line, where every user of the host could read
them (`ps`).

The CLI takes them from a file, one `NAME=value` per line, and as `--env NAME` with the value from
its own environment. The file is the safe way for any name: what the task calls `DOCKER_HOST` must
not lead the CLI to another daemon. It is a pipe (`--env-file /dev/stdin`), so nothing is on a disk
that a kill could leave there. But a line cannot hold every value: line breaks end it, 64 KiB are
its limit, and releases differ in whether quotes around a value belong to it. Such values go through
the CLI's environment, and if the name is one that it reads itself, they are refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from launcher.providers.protocol import ProviderError

LINE_BYTES: Final = 60_000
VALUE_BYTES: Final = 128 * 1024 - 1
"""Linux starts no process with a longer string (`NAME=value` and a NUL)."""
ALL_BYTES: Final = 1_500_000
"""Nor with more than 2 MiB of arguments and variables in all."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_READ_BY_THE_CLI: Final = re.compile(
    r"(DOCKER|BUILDKIT|BUILDX|COMPOSE|NOTARY|MOBY|OTEL|GO|SSH|SSL|LD|DYLD|XDG|GCONV|MALLOC)[A-Z0-9_]*"
    r"|HOME|PATH|USER|LOGNAME|SHELL|TERM|TMPDIR|LOCALDOMAIN|RES_OPTIONS|HOSTALIASES|GLIBC_TUNABLES"
    r"|NO_COLOR|CLICOLOR\w*|\w+_PROXY",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """The two ways, filled."""

    lines: bytes = field(repr=False)
    """For `--env-file`."""
    values: Mapping[str, str] = field(repr=False)
    """For the CLI's own environment; each has its `--env NAME`."""


def carried(variables: Mapping[str, str]) -> Carried:
    """Sorts them.

    Raises:
        ProviderError: there is one that no container can have.
    """
    lines: list[str] = []
    values: dict[str, str] = {}
    for name, value in variables.items():
        _check(name, value)
        if _fits_a_line(value):
            lines.append(f"{name}={value}\n")
        elif _READ_BY_THE_CLI.fullmatch(name):
            raise _refused(f"{name} has several lines or quotes, and docker's CLI reads it itself")
        else:
            values[name] = value
    if sum(map(len, lines)) + sum(map(len, values.values())) > ALL_BYTES:
        raise _refused(f"the variables have more than {ALL_BYTES:,} characters in all")
    return Carried(lines="".join(lines).encode(), values=values)


def _check(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise _refused(f"{name[:100]!r} is no name for a variable")
    if "\0" in value or len(f"{name}={value}".encode()) > VALUE_BYTES:
        raise _refused(f"Linux does not take {name}: it is over 128 KiB or holds a NUL")


def _fits_a_line(value: str) -> bool:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    has_breaks = "\n" in value or "\r" in value
    return not is_quoted and not has_breaks and len(value.encode()) <= LINE_BYTES


def _refused(message: str) -> ProviderError:
    return ProviderError("invalid_environment", message, retryable=False)
