"""New API keys beside the database, by the rules of the ledger."""

import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress

from msgspec.structs import replace

from gateway.bootstrap import new_callback_secret
from gateway.cli.console.output import CommandFailed
from gateway.cli.http.connection import find_connection
from gateway.cli.http.options import chosen
from gateway.cli.local.state import State, has_master_keys, read_master_keys
from gateway.domain.deliveries.endpoint import SECRET_BYTES
from gateway.domain.kernel.ids import RANDOM_BITS, typeid
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.sealing import Sealed, callback_secret_context
from gateway.domain.operations.api_key import ApiKey, key_digest, key_text
from gateway.domain.operations.key_changes import OPENS_PROJECT
from gateway.domain.operations.key_commands import CreateKey
from gateway.settings import read_database
from gateway.store.administration import open_operator
from gateway.store.location import PostgresAddress
from gateway.web.operations.key_view import new_key_view
from gateway.wire.keys import NewKeyView
from gateway.wire.signing import secret_text


def mint(
    environ: Mapping[str, str],
    scope: str,
    project: str,
    name: str,
    *,
    is_first: bool = False,
    all_projects: bool = False,
) -> NewKeyView:
    """A new key without an end and limits; as `mint_key`."""
    key = ApiKey(id=new_id(), scope=scope, project=project, name=name, all_projects=all_projects)
    return mint_key(environ, key, is_first=is_first)


def mint_key(
    environ: Mapping[str, str],
    key: ApiKey,
    *,
    is_first: bool = False,
    reason: str | None = None,
) -> NewKeyView:
    """A new key in the database that the environment names. It comes with the project's callback
    secret if it creates the project, or if `is_first` and the secret can be opened.

    Raises:
        SettingsError: the database or the master keys are not configured.
        ApiError: the rules refuse it, naming each wrong field.
    """
    text = key_text(key.scope, secrets.token_bytes(SECRET_BYTES))
    command = CreateKey(key=key, digest=key_digest(text), stated_reason=reason)
    if key.scope not in OPENS_PROJECT:
        with open_operator(read_database(environ)) as operator:
            return new_key_view(operator.submit(command, now()).key, text, None)
    ring = Keyring(read_master_keys(environ))
    secret, sealed = new_callback_secret(ring, key.project)
    command = replace(command, callback_secret=sealed)
    with open_operator(read_database(environ)) as operator:
        operator.check_master_keys(ring)
        made = operator.submit(command, now())
        shown = secret_text(secret) if made.opens_project else None
        if is_first and shown is None:
            shown = _open_secret(ring, key.project, operator.callback_secret(key.project))
    return new_key_view(made.key, text, shown)


def new_id() -> str:
    return typeid("key", now(), secrets.randbits(RANDOM_BITS))


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def is_live(environ: Mapping[str, str], key: str) -> bool:
    """True if the database knows the key, and it is neither revoked nor expired."""
    with open_operator(read_database(environ)) as operator:
        found = operator.key_of(key_digest(key))
    return found is not None and found.is_live(now())


def callback_secret_of(environ: Mapping[str, str], key: str) -> str | None:
    """The callback secret of a key's project, for an operator who has the database and its master
    keys; None if they are not here, or the secret is being rotated."""
    database = read_database(environ)
    is_here = isinstance(database, PostgresAddress) or database.exists()
    if not is_here or not has_master_keys(environ):
        return None
    ring = Keyring(read_master_keys(environ))
    with open_operator(database) as operator:
        found = operator.callback_secret_of_key(key_digest(key))
    return None if found is None else _open_secret(ring, *found)


def callback_secret_here(kept: State) -> str | None:
    """The callback secret of the project that commands in this folder work for, if the database of
    `up` is here: callbacks, endpoints and forwarded events then have one secret."""
    with suppress(CommandFailed):
        key = find_connection(chosen.get(), os.environ).key
        return callback_secret_of({"SLIPGATE_DATABASE_URL": kept.database_url}, key)
    return None


def _open_secret(ring: Keyring, project: str, sealed: Sealed | None) -> str | None:
    """The secret as text; None if its master key is missing: a gateway would not start without."""
    if sealed is None or sealed.key_id not in ring:
        return None
    return secret_text(ring.open(sealed, context=callback_secret_context(project)))
