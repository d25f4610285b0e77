"""Signs commits with an SSH key, which lies in no file: git's program reads an anonymous one."""

import base64
import binascii
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from ..failure import Failure
from ..variables import Secret

BEGIN: Final = "-----BEGIN OPENSSH PRIVATE KEY-----"
SIGNING_FAILED: Final = "signing_failed"


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """Options of `git commit-tree` that make it sign."""

    options: tuple[str, ...] = ()
    environ: dict[str, str] = {}
    descriptors: tuple[int, ...] = ()
    """Files that it inherits."""


@contextmanager
def signature(key: Secret | None) -> Iterator[Signature]:
    """Without a key: none."""
    if key is None:
        yield Signature()
        return
    descriptor = os.memfd_create("signing-key")
    try:
        os.fchmod(descriptor, 0o600)  # ssh-keygen takes no key that others may read
        os.write(descriptor, text_of(key).encode())
        config = {"gpg.format": "ssh", "user.signingKey": f"/proc/self/fd/{descriptor}"}
        yield Signature(
            options=("-S",),
            environ=_environ(config),
            descriptors=(descriptor,),
        )
    finally:
        os.close(descriptor)


def text_of(key: Secret) -> str:
    """The key as OpenSSH writes it, also where it was given as base64 of that or on one line.

    Raises `Failure` if it is none.
    """
    text = key.value.replace("\\n", "\n").replace("\r", "").strip()
    if not text.startswith("-----"):
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode().strip()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
    if not text.startswith(BEGIN):
        message = (
            "SLIPGATE_SIGNING_KEY is no private key of OpenSSH without a passphrase "
            f"(`{BEGIN}`, or base64 of the whole file)"
        )
        raise Failure(SIGNING_FAILED, message)
    return text + "\n"


def _environ(config: dict[str, str]) -> dict[str, str]:
    """Settings of git for one command."""
    environ = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (name, value) in enumerate(config.items()):
        environ |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return environ
