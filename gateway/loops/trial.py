"""Trials: one signed webhook that is no delivery, sent to see what comes back."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import httpx
import msgspec

from gateway.domain.endpoint import Endpoint
from gateway.domain.keyring import Keyring
from gateway.domain.sealing import (
    Sealed,
    endpoint_headers_context,
    endpoint_url_context,
    signing_secret_context,
)
from gateway.domain.signing_secret import SigningSecret
from gateway.loops.post import Letter, post
from gateway.store.deliveries import DeliveryAttempt

_HEADERS: Final = msgspec.json.Decoder(dict[str, str])


class SealedAddress(Protocol):
    """Where an endpoint is, and what is sent along."""

    @property
    def url(self) -> Sealed | None:
        """The sealed address."""

    @property
    def headers(self) -> Sealed | None:
        """A sealed JSON object."""


class TrialReads(Protocol):
    """What a trial is made of."""

    async def address(self, endpoint_id: str) -> SealedAddress | None:
        """Where it is, and what is sent along."""

    async def live_secrets(
        self, endpoint: Endpoint, now: int
    ) -> Sequence[tuple[SigningSecret, Sealed]]:
        """What its deliveries are signed with now, the newest first."""


class Trials:
    """Sends them, as every delivery is sent: through the guard, with every live secret."""

    def __init__(
        self,
        reads: TrialReads,
        keyring: Keyring,
        *,
        client: httpx.AsyncClient,
        clock: Callable[[], int],
    ) -> None:
        self._reads = reads
        self._keyring = keyring
        self._client = client
        self._clock = clock

    async def send(self, endpoint: Endpoint, webhook_id: str, body: bytes) -> DeliveryAttempt:
        """One webhook to an endpoint that has an address of its own; every failure is an answer."""
        at = self._clock()
        live = await self._reads.live_secrets(endpoint, at)
        address = await self._reads.address(endpoint.id)
        if address is None or address.url is None:
            return _ended(at, "no_address")
        letter = Letter(
            webhook_id=webhook_id,
            url=self._keyring.open(address.url, context=endpoint_url_context(endpoint.id)).decode(),
            secrets=tuple(self._secret(secret, sealed) for secret, sealed in live),
            body=body,
            extra=self._headers(endpoint, address),
            key_id=live[0][0].id if live else None,
        )
        outcome = await post(self._client, letter, clock=self._clock)
        return DeliveryAttempt(
            at=at,
            trigger="manual",
            status=outcome.status,
            reason=outcome.reason,
            duration_ms=outcome.duration_ms,
            key_id=letter.key_id,
            response_body=outcome.answer,
        )

    def _secret(self, secret: SigningSecret, sealed: Sealed) -> bytes:
        return self._keyring.open(sealed, context=signing_secret_context(secret.id))

    def _headers(self, endpoint: Endpoint, address: SealedAddress) -> dict[str, str]:
        if address.headers is None:
            return {}
        place = endpoint_headers_context(endpoint.id)
        return _HEADERS.decode(self._keyring.open(address.headers, context=place))


def _ended(at: int, reason: str) -> DeliveryAttempt:
    return DeliveryAttempt(
        at=at,
        trigger="manual",
        status=None,
        reason=reason,
        duration_ms=0,
        key_id=None,
        response_body=None,
    )
