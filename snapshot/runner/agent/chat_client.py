"""The part of a chat client that every provider's protocol shares."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from ..configuration import ModelAccess
from ..network.client import PLAIN, Network
from . import chat
from .optional_parameters import OptionalParameters
from .prices import Prices

SDK = TypeVar("SDK")


class ChatClient(ABC, Generic[SDK]):
    """One model behind its provider's SDK."""

    def __init__(
        self,
        model: ModelAccess,
        *,
        effort: str | None = None,
        network: Network = PLAIN,
        log: Callable[[str], object] = print,
    ) -> None:
        self._model = model
        self._effort = effort
        self._prices = Prices(model)
        self._optional = OptionalParameters(self._signs(), log)
        self._client = self._connect(network)

    def complete(self, messages: list[chat.Message]) -> chat.Reply:
        """Ask once, and again without a parameter that is refused."""
        return self._optional.without_refused(lambda: self._ask(messages))

    @abstractmethod
    def _signs(self) -> dict[str, tuple[str, ...]]:
        """Optional parameter → patterns of the words by which its refusal is recognised."""

    @abstractmethod
    def _connect(self, network: Network) -> SDK: ...

    @abstractmethod
    def _ask(self, messages: list[chat.Message]) -> chat.Reply: ...
