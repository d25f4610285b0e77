"""The folder in which `up` and `demo` keep what must survive a restart."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.cli.http.connection import FOLDER
from gateway.cli.http.profiles import Profile, write_profiles
from gateway.settings import read_database, read_secret_keys
from gateway.store.location import PostgresAddress
from gateway.wire.environment import secret_of
from gateway.wire.secret_files import MASTER_KEYS_VARIABLE, kept, new_master_key

STATE: Final = Path(".slipgate")
"""The folder of this name in the folder of the commands."""
DATABASE: Final = "slipgate.db"
MASTER_KEYS: Final = "master-keys"


class State:
    """`./.slipgate`: the database, the master key and the launcher's key, readable by its owner."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.database = self.folder / DATABASE
        self.launcher = self.folder / "launcher"
        self.first_key_shown = self.folder / "keys-made"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.database}"

    def master_keys(self) -> str:
        """The value of `SLIPGATE_SECRET_KEYS`; made the first time."""
        return self.kept(MASTER_KEYS, new_master_key)

    @contextmanager
    def connection(self, url: str, key: str) -> Iterator[None]:
        """Keeps address and key for the commands of this folder, while the gateway runs."""
        file = self.folder / FOLDER.name
        write_profiles(file, {"up": Profile(url, key)})
        try:
            yield
        finally:
            file.unlink(missing_ok=True)

    def kept(self, name: str, make: Callable[[], str]) -> str:
        """The secret in a file of this name; made and written the first time."""
        return kept(self.folder / name, make)

    def live_key(self, name: str, make: Callable[[], str], is_live: Callable[[str], bool]) -> str:
        """The key in a file of this name; made anew where it opens nothing any more, as after the
        loss of the database."""
        key = self.kept(name, make)
        if is_live(key):
            return key
        (self.folder / name).unlink(missing_ok=True)
        return self.kept(name, make)


def read_master_keys(environ: Mapping[str, str]) -> Mapping[str, bytes]:
    """The master keys of the environment, or those that `up` keeps beside this very database.

    Raises:
        SettingsError: there are none, or one is malformed.
    """
    return read_secret_keys({**environ, MASTER_KEYS_VARIABLE: _master_keys(environ)})


def has_master_keys(environ: Mapping[str, str]) -> bool:
    return bool(_master_keys(environ))


def _master_keys(environ: Mapping[str, str]) -> str:
    given = secret_of(environ, MASTER_KEYS_VARIABLE)
    database = read_database(environ)
    if given or isinstance(database, PostgresAddress):
        return given
    file = database.with_name(MASTER_KEYS)
    if database.name != DATABASE or not file.exists():
        return given
    return file.read_text().strip()
