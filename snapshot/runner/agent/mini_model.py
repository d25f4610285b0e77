"""The model of mini-swe-agent: our chat clients behind its protocol."""

import json
import time
from collections.abc import Callable
from typing import Final

import msgspec
from minisweagent.exceptions import FormatError

from . import history
from .chat import TOOL, Call, Chat, Message, Reply, mapping, sendable
from .prices import Prices
from .provider_errors import ModelFailure
from .usage import Meter, Tokens

TRIES: Final = 6
"""Of one turn, while the provider is away or busy."""
TRIES_OF_GARBAGE: Final = 3
FIRST_PAUSE_SECONDS: Final = 0.5
FIRST_LIMITED_PAUSE_SECONDS: Final = 2.0
"""Limits are mostly per minute."""
LONGEST_PAUSE_SECONDS: Final = 300.0
"""A provider that wants to be left alone for longer is not waited for."""
FULL: Final = 0.65
"""Part of the model's context: the answer, and in some models much reasoning, needs the rest."""
SHORTENED: Final = 0.6
"""Part of what is allowed that a shortened conversation may have."""
TOKENS_PER_CHARACTER: Final = 0.3
"""Until the provider has counted."""
_NO_CALL: Final = "Every answer must call the tool 'bash' at least once, with a 'command'."
_CUT: Final = "The answer was cut at its length limit before a tool call. Be brief."


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """The ways in which the attempt waits: all end with it."""

    call: Callable[[Callable[[], Reply]], Reply]
    """Waits for an answer."""
    sleep: Callable[[float], None]
    seconds_left: Callable[[], float]
    log: Callable[[str], object]


class MiniModel:
    """Implements `minisweagent.Model`."""

    def __init__(
        self,
        chat: Chat,
        meter: Meter,
        waits: Waits,
        prices: Prices,
    ) -> None:
        self.config: dict[str, object] = {}
        self.is_priced = True
        """False: an answer had no price."""
        self._chat = chat
        self._meter = meter
        self._waits = waits
        self._prices = prices
        self._most_tokens = FULL * prices.context_tokens if prices.context_tokens else None
        self._most_characters = float("inf")
        self._tokens_per_character = TOKENS_PER_CHARACTER
        self._window = history.Window()

    def query(self, messages: list[Message], **_: object) -> Message:
        """Ask the model and return its message with the actions found in it.

        Raises:
            FormatError: no usable tool call; the loop tells the model.
            Failure: a `model_…` code.
            Stopped: the attempt was stopped meanwhile.
        """
        reply = self._asked(messages)
        self._count(reply.tokens)
        return _message(reply)

    def format_message(self, **fields: object) -> Message:
        return fields

    def format_observation_messages(
        self, message: Message, outputs: list[Message], _template_vars: object = None
    ) -> list[Message]:
        """The results of the commands, one message a call, as the text they are."""
        extra = message["extra"]
        actions = extra["actions"] if isinstance(extra, dict) else []
        return [
            {
                "role": "tool",
                "tool_call_id": action["tool_call_id"],
                "content": _observed(output),
                "extra": {"timestamp": time.time()},
            }
            for action, output in zip(actions, outputs, strict=True)
        ]

    def get_template_vars(self, **_: object) -> Message:
        return {}

    def serialize(self) -> Message:
        return {"info": {"config": {"model": type(self._chat).__name__}}}

    def _asked(self, messages: list[Message]) -> Reply:
        """The answer to as much of the conversation as the model can take."""
        self._shorten(messages, self._allowed_characters())
        try:
            return self._answer(messages)
        except ModelFailure as failure:
            sent = history.size(history.view(messages, self._window))
            if failure.code != "model_context_exceeded":
                raise
            self._most_characters = 0.8 * sent
            before = self._window
            self._window = history.shortened(messages, self._window, sent // 2)
            if self._window == before:
                raise
            self._waits.log("[the model's context is full: older output is left out]\n")
            return self._answer(messages)

    def _allowed_characters(self) -> float:
        known = self._most_tokens
        return min(self._most_characters, known / self._tokens_per_character if known else 1e12)

    def _shorten(self, messages: list[Message], most: float) -> None:
        if history.size(history.view(messages, self._window)) > most:
            self._window = history.shortened(messages, self._window, int(SHORTENED * most))

    def _answer(self, messages: list[Message]) -> Reply:
        """The first usable answer; a provider that is busy or broken is asked again."""
        sent = [
            {name: value for name, value in message.items() if name != "extra"}
            for message in history.view(messages, self._window)
        ]
        for tried in range(1, TRIES + 1):
            try:
                reply = self._waits.call(lambda: self._chat.complete(sent))
                break
            except ModelFailure as failure:
                if failure.tokens is not None:
                    self._count(failure.tokens)
                self._pause(failure, tried)
        else:
            raise AssertionError("the last try raises")
        reply = msgspec.structs.replace(reply, message=mapping(sendable(reply.message)))
        if not reply.tokens.input:
            received = history.size([reply.message])
            tokens = self._prices.estimate(sent=history.size(sent), received=received)
            return msgspec.structs.replace(reply, tokens=tokens)
        self._tokens_per_character = reply.tokens.input / history.size(sent)
        return reply

    def _pause(self, failure: ModelFailure, tried: int) -> None:
        """Wait for the next try; raise the failure if there is none."""
        is_limited = failure.code == "model_rate_limited"
        first = FIRST_LIMITED_PAUSE_SECONDS if is_limited else FIRST_PAUSE_SECONDS
        asked = failure.wait_seconds
        seconds = first * 2 ** (tried - 1) if asked is None else asked
        tries = TRIES_OF_GARBAGE if failure.code == "model_garbage" else TRIES
        longest = min(LONGEST_PAUSE_SECONDS, self._waits.seconds_left())
        if not failure.retryable or tried >= tries or seconds > longest:
            raise failure
        self._waits.log(f"[asked again in {seconds:.1f} s: {failure.message}]\n")
        self._waits.sleep(seconds)

    def _count(self, tokens: Tokens) -> None:
        self._meter.count(tokens)
        self.is_priced = self.is_priced and tokens.cost_usd is not None


def _observed(output: Message) -> str:
    text = str(output["output"])
    if output["returncode"] == 0:
        return text or "exit code 0"
    return f"exit code {output['returncode']}\n{text}"


def _message(reply: Reply) -> Message:
    if not reply.calls:
        raise _format_error(_CUT if reply.is_cut else _NO_CALL, reply)
    actions = [_action(call, reply) for call in reply.calls]
    cost = reply.tokens.cost_usd or 0.0
    extra = {"actions": actions, "cost": cost, "timestamp": time.time()}
    return {**reply.message, "extra": extra}


def _action(call: Call, reply: Reply) -> dict[str, str]:
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError) as exc:
        wrong = _CUT if reply.is_cut else f"The arguments are not JSON: {exc}"
        raise _format_error(wrong, reply) from exc
    command = arguments.get("command") if isinstance(arguments, dict) else None
    if call.name != TOOL or not isinstance(command, str):
        raise _format_error(_NO_CALL, reply)
    return {"command": command, "tool_call_id": call.id}


def _format_error(message: str, reply: Reply) -> FormatError:
    extra = {"interrupt_type": "FormatError", "cost": reply.tokens.cost_usd or 0.0}
    correction = {"role": "user", "content": message}
    if reply.calls or not reply.text.strip():
        return FormatError({**correction, "extra": {**extra, "response": reply.text}})
    return FormatError({**reply.message, "extra": extra}, correction)
