"""`slipgate login` and `logout`: gateways that are kept by name."""

import os
import sys
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, CommandFailed, print_document
from gateway.cli.console.terminal import out
from gateway.cli.http.client import Client, open_http
from gateway.cli.http.connection import DEFAULT_URL, PROFILE_VARIABLE, Connection, checked
from gateway.cli.http.options import chosen
from gateway.cli.http.profiles import (
    DEFAULT,
    Profile,
    is_name,
    profiles_path,
    read_profiles,
    write_profiles,
)

Name = Annotated[str, typer.Option(envvar=PROFILE_VARIABLE, help="name of the gateway")]
_TIMEOUT_SECONDS: Final = 15.0


def login(profile: Name = DEFAULT, as_json: AsJson = False) -> None:
    """Keep a gateway's address and key under a name; both are tried first.

    Without --key the key is asked for, or read from a pipe: no list of processes shows it.

    Examples:\n
      slipgate login --url=https://gate.example.com\n
      slipgate login --profile=staging --url=https://staging.example.com < key.txt
    """
    if not is_name(profile):
        message = "a name is letters, digits, - and _"
        raise typer.BadParameter(message, param_hint="--profile")
    given = chosen.get()
    url = given.url or typer.prompt("Address of the gateway", default=DEFAULT_URL, err=True)
    key = given.key or _ask_key()
    connection = checked(Connection(url=url, key=key, url_from="--url", key_from="--key"))
    headers = {"authorization": f"Bearer {connection.key}"}
    with open_http(connection.url, headers=headers, timeout=_TIMEOUT_SECONDS) as http:
        Client(http, connection).get("/v1/tasks", limit=1)
    file = profiles_path(os.environ)
    kept = {**read_profiles(file), profile: Profile(connection.url, connection.key)}
    write_profiles(file, kept)
    if as_json:
        print_document({"profile": profile, "url": connection.url, "file": str(file)})
        return
    out.print(f"logged in to {connection.url}; kept as {profile} in {file}")
    if profile != DEFAULT:
        out.print(f"use it: --profile {profile}, or {PROFILE_VARIABLE}={profile}", style="dim")


def logout(profile: Name = DEFAULT, as_json: AsJson = False) -> None:
    """Forget a gateway that `login` has kept. Its key stays valid: revoke it with `keys revoke`.

    Examples:\n
      slipgate logout\n
      slipgate logout --profile=staging
    """
    file = profiles_path(os.environ)
    kept = read_profiles(file)
    if profile not in kept:
        known = ", ".join(sorted(kept)) or "none"
        raise CommandFailed(f"There is no profile {profile}.", f"There are: {known}.")
    write_profiles(file, {name: each for name, each in kept.items() if name != profile})
    if as_json:
        print_document({"profile": profile, "removed": True})
    else:
        out.print(f"forgot {profile}")


def _ask_key() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("API key", hide_input=True, err=True))
    return sys.stdin.readline().strip()
