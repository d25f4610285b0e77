"""The keys of `slipgate init`: those in its files if they still open the gateway, else new ones."""

from collections.abc import Mapping

from gateway.cli.local.state import State
from gateway.cli.operations.minting import callback_secret_of, mint, now
from gateway.domain.operations.api_key import key_digest
from gateway.settings import read_database
from gateway.store.administration import open_operator


def launcher_key(environ: Mapping[str, str], kept: State, known: str) -> str:
    """The launcher's key, which `up` uses too."""
    if known and is_live(environ, known):
        return known

    def make() -> str:
        return mint(environ, "launcher", "default", "up", all_projects=True).key

    key = kept.kept("launcher-key", make)
    if is_live(environ, key):
        return key
    (kept.folder / "launcher-key").unlink()
    return kept.kept("launcher-key", make)


def frontend_keys(environ: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The application's key and webhook secret."""
    key = known.get("SLIPGATE_API_KEY", "")
    if not (key and is_live(environ, key)):
        made = mint(environ, "tasks", "default", "frontend", is_first=True)
        key = made.key
    secret = callback_secret_of(environ, key) or known.get("SLIPGATE_WEBHOOK_SECRET", "")
    return {"SLIPGATE_API_KEY": key, "SLIPGATE_WEBHOOK_SECRET": secret}


def is_live(environ: Mapping[str, str], key: str) -> bool:
    """True if the database knows the key, and it is neither revoked nor expired."""
    with open_operator(read_database(environ)) as operator:
        found = operator.key_of(key_digest(key))
    return found is not None and found.is_live(now())
