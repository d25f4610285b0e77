"""The other gateways on a PostgreSQL server, reached by notifications."""

from collections.abc import Callable

import structlog

from gateway.domain.kernel.errors import Unavailable
from gateway.store.postgres.notifications import CHANNEL, NOTIFY, message_payload
from gateway.store.postgres.session import Session
from gateway.store.sql.connection import Query

log = structlog.get_logger(__name__)


class PostgresPeers:
    """`gateway.store.peers.Peers`."""

    def __init__(self, fetch: Query, session: Session) -> None:
        self._fetch = fetch
        self._session = session

    @property
    def are_there(self) -> bool:
        """True if there are other gateways."""
        return self._session.gateways > 1

    async def send(self, message: str) -> None:
        """Sends a message to all others; it is lost where a session is."""
        payload = message_payload(self._session.gateway_id, message)
        try:
            await self._fetch(NOTIFY, {"channel": CHANNEL, "payload": payload})
        except Unavailable as exc:
            log.warning("peers.message_lost", detail=exc.detail)

    def subscribe(self, receive: Callable[[str], None]) -> None:
        """Hands over the messages of others from now on."""
        self._session.receivers.append(receive)
