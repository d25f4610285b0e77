"""The first API keys of an installation, taken from files or made there."""

import secrets
from pathlib import Path
from typing import Final

import structlog

from gateway.domain.deliveries.endpoint import SECRET_BYTES
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import RANDOM_BITS, typeid
from gateway.domain.kernel.keyring import NONCE_BYTES, Keyring
from gateway.domain.kernel.sealing import Sealed, callback_secret_context
from gateway.domain.operations.api_key import KEY, ApiKey, key_digest, key_text
from gateway.domain.operations.key_changes import OPENS_PROJECT
from gateway.domain.operations.key_commands import CreateKey
from gateway.ledger import wall_clock
from gateway.settings import Settings
from gateway.store.administration import open_operator
from gateway.wire.secret_files import kept

log = structlog.get_logger(__name__)

OPS: Final = "SLIPGATE_BOOTSTRAP_KEY_FILE"
LAUNCHERS: Final = "SLIPGATE_BOOTSTRAP_LAUNCHER_KEY_FILE"
NAME: Final = "bootstrap"
"""The holder of these keys in lists."""


def create_first_keys(settings: Settings) -> None:
    """Creates the API keys whose files the settings name, unless they are there. A key that was
    revoked stays so.

    Raises:
        ApiError: `invalid_bootstrap_key`, or the database cannot be used.
    """
    for variable, scope, file in (
        (OPS, "ops", settings.bootstrap_key_file),
        (LAUNCHERS, "launcher", settings.bootstrap_launcher_key_file),
    ):
        if file is not None:
            _create(settings, scope, _read(variable, scope, file))


def _read(variable: str, scope: str, file: Path) -> str:
    try:
        text = kept(file, lambda: key_text(scope, secrets.token_bytes(SECRET_BYTES)))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ApiError(
            "invalid_bootstrap_key",
            f"The file of {variable} can be neither read nor made: {reason}.",
            hint="Let the gateway's user read it, or write into its folder.",
        ) from error
    form = KEY.fullmatch(text)
    if form is None or form["scope"] != scope:
        raise ApiError(
            "invalid_bootstrap_key",
            f"The file of {variable} does not hold a key of scope {scope}, and nothing else.",
            hint=f"A key is slip_{scope}_ and 43 characters: "
            "$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '='). Where there is no file, the "
            "gateway makes one.",
        )
    return text


def _create(settings: Settings, scope: str, text: str) -> None:
    now, ring, digest = wall_clock(), Keyring(settings.secret_keys), key_digest(text)
    key = ApiKey(
        id=typeid("key", now, secrets.randbits(RANDOM_BITS)),
        scope=scope,
        project="default",
        name=NAME,
        all_projects=scope == "launcher",
    )
    secret = new_callback_secret(ring, key.project)[1] if scope in OPENS_PROJECT else None
    with open_operator(settings.database) as operator:
        known = operator.key_of(digest)
        if known is None:
            operator.submit(CreateKey(key=key, digest=digest, callback_secret=secret), now)
    if known is None:
        log.info("gateway.first_key_created", key=key.id, scope=scope)
    elif not known.is_live(now):
        log.warning("gateway.first_key_revoked", key=known.id, scope=scope)


def new_callback_secret(ring: Keyring, project: str) -> tuple[bytes, Sealed]:
    """A secret for the callbacks of a project, and the form in which it is stored."""
    secret, nonce = secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(NONCE_BYTES)
    return secret, ring.seal(secret, context=callback_secret_context(project), nonce=nonce)
