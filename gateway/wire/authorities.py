"""The certificate authorities that TLS clients trust: the well-known ones and private ones.

`SSL_CERT_FILE` and `SSL_CERT_DIR` name private ones, as for OpenSSL and Go. One that cannot be read
is left out and reported: it must not end the program that has to report it.
"""

import os
import ssl
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    import httpx

FILE: Final = "SSL_CERT_FILE"
DIRECTORY: Final = "SSL_CERT_DIR"


class Authorities(msgspec.Struct, frozen=True, kw_only=True):
    """The readable values of both variables."""

    file: str | None = None
    directories: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """A sentence for each variable that is left out."""

    @classmethod
    def of_environ(cls, environ: Mapping[str, str]) -> "Authorities":
        """Reads both variables; never raises."""
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
        """The variables for a child process."""
        named = {FILE: self.file, DIRECTORY: os.pathsep.join(self.directories)}
        return {name: value for name, value in named.items() if value}

    def context(self) -> ssl.SSLContext:
        return _context(self)


# Loading the well-known authorities takes 40 ms, and clients may share them.
@lru_cache(maxsize=8)
def _context(authorities: Authorities) -> ssl.SSLContext:
    """Without `create_default_context`, which fails if SSLKEYLOGFILE cannot be written."""
    import certifi  # noqa: PLC0415 - 7 ms, before the first receiver with TLS

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
    """An httpx proxy; httpx accepts a TLS context only for an https address."""
    import httpx  # noqa: PLC0415 - 0.2 s that settings alone do not need

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
