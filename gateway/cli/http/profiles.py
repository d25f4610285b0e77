"""The file of profiles: gateways by name, each with its address and a key; read by its owner."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from gateway.cli.console.output import CommandFailed

DEFAULT: Final = "default"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Profile(NamedTuple):
    """An address and the key that goes to it, and nowhere else."""

    url: str
    key: str


def profiles_path(environ: Mapping[str, str]) -> Path:
    """`~/.config/slipgate/profiles.toml`, or where `XDG_CONFIG_HOME` leads."""
    given = environ.get("XDG_CONFIG_HOME", "").strip()
    home = Path(environ.get("HOME", "").strip() or "~").expanduser()
    return (Path(given) if given else home / ".config") / "slipgate" / "profiles.toml"


def is_name(text: str) -> bool:
    """True if it can name a profile: a bare key of TOML."""
    return _NAME.fullmatch(text) is not None


def read_profiles(file: Path) -> dict[str, Profile]:
    """All profiles of a file; none if there is no such file.

    Raises:
        CommandFailed: it is not a file of profiles.
    """
    if not file.exists():
        return {}
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
        return {name: Profile(table["url"], table["key"]) for name, table in tables.items()}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as exc:
        raise CommandFailed(
            f"{file} cannot be read: every [name] in it has a url and a key, both quoted.",
            "Correct it, or delete it and run `slipgate login` again.",
        ) from exc


def write_profiles(file: Path, profiles: Mapping[str, Profile]) -> None:
    """Writes all profiles, whole before the file has its name, and for its owner alone."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    # A string of JSON in ASCII is one of TOML, too.
    draft.write_text(
        "\n".join(
            f"[{name}]\nurl = {json.dumps(profile.url)}\nkey = {json.dumps(profile.key)}\n"
            for name, profile in sorted(profiles.items())
        )
    )
    draft.rename(file)
