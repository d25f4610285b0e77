"""Messages between gateways about new GitHub tokens: an agent asks one, the launcher waits at
another. An answer is sealed: the server that carries it must not read it."""

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.tasks.task import Frozen
from gateway.wire.github_tokens import TokenAnswer, TokenRequest

LONGEST_REASON: Final = 500
"""Characters; a notification has room for 8,000 bytes."""


class LauncherWaits(Frozen, frozen=True, kw_only=True, tag="waits"):
    """A launcher with a GitHub App waits for requests."""

    served: str
    launcher_id: str


class AgentAsks(Frozen, frozen=True, kw_only=True, tag="asks"):
    """An agent waits for an answer."""

    request: TokenRequest
    project: str


class LauncherAnswers(Frozen, frozen=True, kw_only=True, tag="answers"):
    """A launcher has answered."""

    request_id: str
    launcher_id: str
    sealed: Sealed


class AgentLeaves(Frozen, frozen=True, kw_only=True, tag="leaves"):
    """Nobody waits for an answer any more."""

    request_id: str


TokenMessage: TypeAlias = LauncherWaits | AgentAsks | LauncherAnswers | AgentLeaves
_DECODER: Final = msgspec.json.Decoder[TokenMessage](TokenMessage)
_ANSWER: Final = msgspec.json.Decoder(TokenAnswer)


def encoded(message: TokenMessage) -> str:
    """The message as it is sent to other gateways."""
    return msgspec.json.encode(message).decode()


def decoded(message: str) -> TokenMessage:
    """The message that another gateway has sent."""
    found: TokenMessage = _DECODER.decode(message)
    return found


class AnswerSeal:
    """Seals answers, each to its request, with a master key that all gateways have."""

    def __init__(self, keyring: Keyring, nonce: Callable[[], bytes]) -> None:
        self._keyring = keyring
        self._nonce = nonce

    def close(self, request_id: str, answer: TokenAnswer) -> Sealed:
        """The sealed answer."""
        if answer.error is not None:
            message = answer.error.message[:LONGEST_REASON]
            error = msgspec.structs.replace(answer.error, message=message)
            answer = TokenAnswer(error=error)
        return self._keyring.seal(
            msgspec.json.encode(answer), context=_context(request_id), nonce=self._nonce()
        )

    def open(self, request_id: str, sealed: Sealed) -> TokenAnswer:
        """The answer; raises `Unreadable` and `UnknownKey`."""
        return _ANSWER.decode(self._keyring.open(sealed, context=_context(request_id)))


def _context(request_id: str) -> str:
    return f"token_requests|answer|{request_id}"
