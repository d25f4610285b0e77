"""Peers: the other gateways of the database, for messages that no table keeps."""

from collections.abc import Callable
from typing import Final, Protocol


class Peers(Protocol):
    """Messages may be lost: whoever needs an answer asks again."""

    @property
    def are_there(self) -> bool:
        """True if there are other gateways."""

    async def send(self, message: str) -> None:
        """Sends a message of up to 6,000 bytes of JSON to all others. The server sees it."""

    def subscribe(self, receive: Callable[[str], None]) -> None:
        """Hands over the messages of others from now on."""


class NoPeers:
    """The peers of a gateway that is alone on its database."""

    are_there = False

    async def send(self, message: str) -> None:
        """Nobody is there."""

    def subscribe(self, receive: Callable[[str], None]) -> None:
        """Nobody sends anything."""


NO_PEERS: Final = NoPeers()
