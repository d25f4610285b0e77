"""The certificate authorities that TLS is spoken with: the well-known ones, and private ones.

`SSL_CERT_FILE` and `SSL_CERT_DIR` name private ones, as for OpenSSL and Go. One that cannot be read
is left out and named: it must not keep a program from saying what is wrong.
"""

import os
import ssl
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import certifi
import msgspec

if TYPE_CHECKING:
    import httpx

FILE: Final = "SSL_CERT_FILE"
DIRECTORY: Final = "SSL_CERT_DIR"


class Authorities(msgspec.Struct, frozen=True, kw_only=True):
    """What of the variables could be read."""

    file: str | None = None
    directories: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """What is left out, a sentence for each variable."""

    @classmethod
    def of_environ(cls, environ: Mapping[str, str]) -> "Authorities":
        """Read both variables; never raises."""
        problems: list[str] = []
        file = _readable(environ, FILE, _load, problems)
        directories = _readable(environ, DIRECTORY, _list, problems)
        return cls(
            file=file,
            directories=tuple(directories.split(os.pathsep)) if directories else (),
            problems=tuple(problems),
        )

    @property
    def variables(self) -> dict[str, str]:
        """The same for a child process."""
        named = {FILE: self.file, DIRECTORY: os.pathsep.join(self.directories)}
        return {name: value for name, value in named.items() if value}

    def context(self) -> ssl.SSLContext:
        """For a client."""
        return _context(self)


# Read once: to load the well-known ones takes 40 ms, and clients may share them.
@lru_cache(maxsize=8)
def _context(authorities: Authorities) -> ssl.SSLContext:
    """Made by hand: `create_default_context` obeys SSLKEYLOGFILE, and fails where that file cannot
    be written."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_default_verify_paths()
    context.load_verify_locations(cafile=certifi.where())
    if authorities.file is not None:
        context.load_verify_locations(cafile=authorities.file)
    for directory in authorities.directories:
        context.load_verify_locations(capath=directory)
    return context


WELL_KNOWN: Final = Authorities()


def with_trust(proxy: str, context: ssl.SSLContext) -> "httpx.Proxy":
    """A proxy to which TLS is spoken if it speaks it: with any other, httpx takes no context."""
    import httpx  # noqa: PLC0415 - a fifth of a second that settings alone do not need

    is_tls = proxy.lower().startswith("https:")
    return httpx.Proxy(proxy, ssl_context=context if is_tls else None)


def _readable(
    environ: Mapping[str, str], name: str, read: Callable[[str], None], problems: list[str]
) -> str | None:
    value = environ.get(name)
    if not value:
        return None
    try:
        read(value)
    except ssl.SSLError:
        problems.append(f"{name} is left out: it holds no certificate in PEM")
    except OSError as exc:
        problems.append(f"{name} is left out: {exc.strerror}")
    except ValueError:
        problems.append(f"{name} is left out: it is no path")
    else:
        return value
    return None


def _load(file: str) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)


def _list(directories: str) -> None:
    for directory in directories.split(os.pathsep):
        next(Path(directory).iterdir(), None)
