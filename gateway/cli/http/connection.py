"""The gateway that a command calls: its address, the key, and the place each was found in."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gateway.cli.console.output import CommandFailed
from gateway.cli.http.options import Chosen
from gateway.cli.http.profiles import DEFAULT, Profile, profiles_path, read_profiles
from gateway.wire.environment import secret_of

CREATE_KEY: Final = "`slipgate keys create --scope tasks --name me`"
PROFILE_VARIABLE: Final = "SLIPGATE_PROFILE"
URL_VARIABLE: Final = "SLIPGATE_URL"
KEY_VARIABLE: Final = "SLIPGATE_API_KEY"
DEFAULT_URL: Final = "http://127.0.0.1:8700"
FOLDER: Final = Path(".slipgate/connection.toml")
"""Written by a running `slipgate up`, removed when it stops."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """An address and a key; the other two name the place of each, for errors."""

    url: str
    key: str
    url_from: str = URL_VARIABLE
    key_from: str = KEY_VARIABLE


def find_connection(options: Chosen, environ: Mapping[str, str]) -> Connection:
    """The first of: `--url` and `--key`; the profile that is named; the environment; `.slipgate/`
    of this folder; the profile `default`. A stored key goes to the address it is stored with only.

    Raises:
        CommandFailed: there is none, or it cannot be one.
    """
    found = _with_url(options, environ) if options.url else _without_url(options, environ)
    if options.key:
        found = replace(found, key=options.key, key_from="--key")
    return checked(found)


def _with_url(options: Chosen, environ: Mapping[str, str]) -> Connection:
    url = (options.url or "").strip().rstrip("/")
    stored = _stored_for(url, options, environ)
    given = secret_of(environ, KEY_VARIABLE)
    if not given and stored is not None:
        return replace(stored, url_from="--url")
    return Connection(url=url, key=given, url_from="--url")


def _without_url(options: Chosen, environ: Mapping[str, str]) -> Connection:
    named = options.profile or environ.get(PROFILE_VARIABLE, "").strip()
    if named:
        return _of_profile(named, environ)
    url = environ.get(URL_VARIABLE, "").strip()
    key = secret_of(environ, KEY_VARIABLE)
    if key or (url and options.key):
        return Connection(url=url or DEFAULT_URL, key=key)
    if url:
        return _stored_for(url.rstrip("/"), options, environ) or Connection(url=url, key="")
    stored = of_folder() or _of_default_profile(environ)
    if stored is None and options.key is None:
        raise CommandFailed(
            f"No gateway is known here: there is no profile, and {KEY_VARIABLE} is not set.",
            "Run `slipgate up` in this folder, or `slipgate login` for a gateway elsewhere, or set "
            f"{URL_VARIABLE} and {KEY_VARIABLE} ({CREATE_KEY} makes a key beside the database).",
        )
    return stored or Connection(url=DEFAULT_URL, key="")


def _stored_for(url: str, options: Chosen, environ: Mapping[str, str]) -> Connection | None:
    """The stored connection of exactly this address."""
    named = options.profile or environ.get(PROFILE_VARIABLE, "").strip()
    stored = [_of_profile(named, environ)] if named else []
    stored += [each for each in (of_folder(), _of_default_profile(environ)) if each is not None]
    return next((each for each in stored if each.url == url), None)


def _of_profile(name: str, environ: Mapping[str, str]) -> Connection:
    profiles = read_profiles(profiles_path(environ))
    if name not in profiles:
        known = ", ".join(sorted(profiles)) or "none yet"
        raise CommandFailed(
            f"There is no profile {name}; there are: {known}.",
            f"Make it with `slipgate login --profile {name}`, or choose another.",
        )
    return _connection(profiles[name], f"profile {name}")


def _of_default_profile(environ: Mapping[str, str]) -> Connection | None:
    profile = read_profiles(profiles_path(environ)).get(DEFAULT)
    return profile and _connection(profile, f"profile {DEFAULT}")


def of_folder() -> Connection | None:
    """The gateway of the `up` that runs in this folder. A file that came with a clone or an archive
    must not redirect commands: ours is private to this user, and leads to this machine."""
    try:
        status = FOLDER.stat()
    except OSError:
        return None
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        return None
    for profile in read_profiles(FOLDER).values():
        if urlsplit(profile.url).hostname in LOOPBACK:
            return _connection(profile, str(FOLDER))
    return None


def _connection(profile: Profile, place: str) -> Connection:
    of_place = f"in {place}"
    return Connection(
        url=profile.url.rstrip("/"),
        key=profile.key,
        url_from=f"the url {of_place}",
        key_from=f"The key {of_place}",
    )


def checked(found: Connection) -> Connection:
    """The connection in its canonical form.

    Raises:
        CommandFailed: it has no key, or its address or key cannot be one.
    """
    found = replace(found, url=found.url.strip().rstrip("/"), key=found.key.strip())
    if not found.key:
        raise CommandFailed(
            f"{KEY_VARIABLE} is not set, and no key is stored for {found.url}.",
            "Run `slipgate login`, or give --key: `slipgate up` shows a tasks key on its first "
            f"run, {CREATE_KEY} makes others (commands of operators need the scope ops).",
        )
    if not found.key.isascii() or not found.key.isprintable():
        raise CommandFailed(
            f"{found.key_from} is not a key: it holds characters that no key has.",
            f"Copy it again, or make another by {CREATE_KEY}.",
        )
    if not found.url.startswith(("http://", "https://")):
        raise CommandFailed(
            f"{found.url_from} is not an http or https address.",
            f"Set it, for example, to {DEFAULT_URL}.",
        )
    return found
