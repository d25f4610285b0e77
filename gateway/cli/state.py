"""The folder in which `up` and `demo` keep what must survive a restart."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path


class State:
    """`./.slipgate`: the database, the master key, the launcher's key; for its owner alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def database_url(self) -> str:
        """As `SLIPGATE_DATABASE_URL` has it."""
        return f"sqlite:///{self.folder / 'slipgate.db'}"

    def master_keys(self) -> str:
        """As `SLIPGATE_SECRET_KEYS` has it; made the first time."""
        return self.kept("master-keys", _new_master_key)

    def kept(self, name: str, make: Callable[[], str]) -> str:
        """The secret in a file of this name; made and written the first time."""
        file = self.folder / name
        if not file.exists():
            # Complete before it has its name: a kill leaves no half-written key.
            draft = file.with_name(f"{name}.{os.getpid()}")
            draft.touch(mode=0o600, exist_ok=False)
            draft.write_text(make())
            draft.rename(file)
        return file.read_text().strip()


def _new_master_key() -> str:
    return f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"
