"""Secrets in files, as Docker, Kubernetes and systemd hand them over; some are made at first."""

import base64
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gateway.wire.environment import SettingsError

MASTER_KEYS_VARIABLE: Final = "SLIPGATE_SECRET_KEYS"


def kept(file: Path, make: Callable[[], str]) -> str:
    """The secret in this file; made and written the first time, readable by its owner alone. Of
    several processes that come at once one makes it.

    Raises:
        OSError: it can be neither read nor made.
    """
    if not file.exists():
        # Complete before it has its name: a kill leaves no half-written key.
        draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        try:
            draft.touch(mode=0o600, exist_ok=False)
            draft.write_text(make())
            _link_once(draft, file)
        finally:
            draft.unlink(missing_ok=True)
    return file.read_text().strip()


def _link_once(draft: Path, file: Path) -> None:
    """Gives the draft its name, unless another process was first."""
    try:
        file.hardlink_to(draft)
    except FileExistsError:
        return


def make_master_key(environ: Mapping[str, str]) -> None:
    """Makes the file that `SLIPGATE_SECRET_KEYS_FILE` names, if it is missing. A database that was
    used with another key refuses the new one.

    Raises:
        SettingsError: it is missing, and cannot be made.
    """
    variable = f"{MASTER_KEYS_VARIABLE}_FILE"
    if environ.get(MASTER_KEYS_VARIABLE, "").strip() or not (
        file := environ.get(variable, "").strip()
    ):
        return
    try:
        kept(Path(file), new_master_key)
    except OSError as error:
        problem = f"{variable} can be neither read nor made: {error.strerror}"
        raise SettingsError([problem]) from error


def new_master_key() -> str:
    return f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"
