"""Tools that install into the image, turned to a command's home, where it may write."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_SETTINGS: Final = "settings.toml"


def enter(environ: Mapping[str, str]) -> dict[str, str]:
    """The environ in which `npm install -g` works, and rustup adds toolchains to the image's."""
    home = Path(environ["HOME"])
    return {**environ, "NPM_CONFIG_PREFIX": str(home / ".local"), **_rustup(environ, home)}


def _rustup(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """A RUSTUP_HOME that links the toolchains of the image's own."""
    shared = Path(environ.get("RUSTUP_HOME") or os.devnull)
    own = home / ".rustup"
    with suppress(OSError):
        listed = sorted((shared / "toolchains").iterdir())
        (own / "toolchains").mkdir(parents=True)
        for toolchain in listed:
            (own / "toolchains" / toolchain.name).symlink_to(toolchain)
        shutil.copy(shared / _SETTINGS, own / _SETTINGS)
        return {"RUSTUP_HOME": str(own)}
    return {}
