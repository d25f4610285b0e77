"""The certificate authorities for TLS: the well-known ones, and private ones of the environment.

`SSL_CERT_FILE` and `SSL_CERT_DIR` hold for everything; other programs' names for them are read too.
"""

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import certifi

GIT_FILE: Final = "GIT_SSL_CAINFO"
GIT_DIRECTORY: Final = "GIT_SSL_CAPATH"
NODE_FILE: Final = "NODE_EXTRA_CA_CERTS"
FILES: Final = ("SSL_CERT_FILE", GIT_FILE, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", NODE_FILE)
DIRECTORIES: Final = ("SSL_CERT_DIR", GIT_DIRECTORY)


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificates:
    by_name: Mapping[str, str]
    """The variables that could be read."""
    problems: tuple[str, ...]
    """A sentence for each of the others."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Certificates":
        problems: list[str] = []
        files = _readable(environ, FILES, _load_file, problems)
        directories = _readable(environ, DIRECTORIES, _list_directories, problems)
        return cls(by_name=dict([*files, *directories]), problems=tuple(problems))

    @property
    def variables(self) -> dict[str, str]:
        """Variables for a child: git and node know no name but their own.

        What git is given replaces the system's bundle, so it is given the system's directory too.
        """
        given = dict(self.by_name)
        if file := self._first(FILES):
            given = {GIT_FILE: file, NODE_FILE: file, **given}
        named = self._first(DIRECTORIES)
        directory = named or ssl.get_default_verify_paths().openssl_capath
        if (file or named) and Path(directory.partition(os.pathsep)[0]).is_dir():
            given.setdefault(GIT_DIRECTORY, directory.partition(os.pathsep)[0])
        return given

    def context(self) -> ssl.SSLContext:
        """For a client. `create_default_context` is not used: it obeys SSLKEYLOGFILE."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_default_verify_paths()
        context.load_verify_locations(cafile=certifi.where())
        for name, value in self.by_name.items():
            if name in FILES:
                context.load_verify_locations(cafile=value)
            else:
                for directory in value.split(os.pathsep):
                    context.load_verify_locations(capath=directory)
        return context

    def _first(self, names: tuple[str, ...]) -> str | None:
        return next((self.by_name[name] for name in names if name in self.by_name), None)


def _readable(
    environ: Mapping[str, str],
    names: tuple[str, ...],
    read: Callable[[str], None],
    problems: list[str],
) -> Iterator[tuple[str, str]]:
    for name in names:
        if not (value := environ.get(name)):
            continue
        try:
            read(value)
        except (OSError, ValueError) as exc:
            problems.append(f"{name} is left out: {_reason(exc)}")
        else:
            yield name, value


def _load_file(value: str) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)


def _list_directories(value: str) -> None:
    for directory in value.split(os.pathsep):
        next(Path(directory).iterdir(), None)


def _reason(exc: OSError | ValueError) -> str:
    if isinstance(exc, ssl.SSLError):
        return "it holds no certificate in PEM"
    return (exc.strerror if isinstance(exc, OSError) else None) or "it is no path"
