"""The keys of `slipgate init`: those in its files if they still open the gateway, else new ones."""

from collections.abc import Mapping

from gateway.cli.local.environments import launcher_key
from gateway.cli.local.state import State
from gateway.cli.operations.minting import callback_secret_of, is_live, mint


def key_of_launcher(environ: Mapping[str, str], kept: State, known: str) -> str:
    """The launcher's key: the known one, else that of `up`."""
    return known if known and is_live(environ, known) else launcher_key(environ, kept)


def frontend_keys(environ: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The application's key and webhook secret."""
    key = known.get("SLIPGATE_API_KEY", "")
    if not (key and is_live(environ, key)):
        made = mint(environ, "tasks", "default", "frontend", is_first=True)
        key = made.key
    secret = callback_secret_of(environ, key) or known.get("SLIPGATE_WEBHOOK_SECRET", "")
    return {"SLIPGATE_API_KEY": key, "SLIPGATE_WEBHOOK_SECRET": secret}
