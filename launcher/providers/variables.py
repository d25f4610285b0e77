"""The variables of a sandbox, as its agent's process could have them.

They are handed over in a file that the sandbox's entry reads and removes: neither a command line
nor a process's environment nor a container's settings ever show them.
"""

import re
from collections.abc import Mapping
from typing import Final

from launcher.providers.protocol import ProviderError

VALUE_BYTES: Final = 128 * 1024 - 1
"""Linux starts no process with a longer string (`NAME=value` and a NUL)."""
ALL_BYTES: Final = 1_500_000
"""Nor with more than 2 MiB of arguments and variables in all."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_variables(variables: Mapping[str, str]) -> None:
    """Raises `ProviderError` if there is one that no process can have: commands of the agent get
    the task's own."""
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            raise _refused(f"{name[:100]!r} is no name for a variable")
        if "\0" in value or _size(name, value) > VALUE_BYTES:
            raise _refused(f"Linux does not take {name}: it is over 128 KiB or holds a NUL")
    if sum(_size(name, value) for name, value in variables.items()) > ALL_BYTES:
        raise _refused(f"the variables have more than {ALL_BYTES:,} bytes in all")


def _size(name: str, value: str) -> int:
    return len(f"{name}={value}".encode(errors="surrogateescape"))


def _refused(message: str) -> ProviderError:
    return ProviderError("invalid_environment", message, retryable=False)
