"""The link with which `up` and `demo --keep` log their operator in to the dashboard."""

import hashlib
import secrets
import time
from collections.abc import Mapping

from gateway.cli.local.state import State, read_master_keys
from gateway.cli.operations.minting import mint
from gateway.domain.kernel.keyring import NONCE_BYTES, Keyring


def dashboard_link(kept: State, environ: Mapping[str, str], url: str) -> str:
    """An address that logs in once, within ten minutes, with a key that the state folder keeps."""
    # It pulls the web floor in, which no other command needs.
    from gateway.web.dashboard.session import (  # noqa: PLC0415
        LINK_LIFETIME,
        Ticket,
        seal_ticket,
    )

    key = kept.kept("dashboard-key", lambda: mint(environ, "ops", "default", "dashboard").key)
    digest = hashlib.sha256(key.encode()).digest()
    ticket = Ticket(digest, time.time_ns() // 1_000_000 + LINK_LIFETIME)
    ring = Keyring(read_master_keys(environ))
    token = seal_ticket(ring, "login", ticket, secrets.token_bytes(NONCE_BYTES))
    return f"{url}/dashboard/login?link={token}"
