"""The model of mini-swe-agent: our chat clients behind its protocol."""

import json
import time
from collections.abc import Callable
from typing import Final

from minisweagent.exceptions import FormatError

from .chat import TOOL, Call, Chat, Message, Reply
from .usage import Meter

_NO_CALL: Final = "Every answer must call the tool 'bash' at least once, with a 'command'."
_CUT: Final = "The answer was cut at its length limit before a tool call. Be brief."


class MiniModel:
    """Implements `minisweagent.Model`; keeps no state but the meter's."""

    def __init__(
        self, chat: Chat, meter: Meter, interruptible: Callable[[Callable[[], Reply]], Reply]
    ) -> None:
        self.config: dict[str, object] = {}
        self._chat = chat
        self._meter = meter
        self._interruptible = interruptible

    def query(self, messages: list[Message], **_: object) -> Message:
        """Ask the model and return its message with the actions found in it.

        Raises:
            FormatError: no usable tool call; the loop tells the model.
            Failure: a `model_…` code.
            Stopped: the attempt was stopped meanwhile.
        """
        sent = [
            {name: value for name, value in message.items() if name != "extra"}
            for message in messages
        ]
        reply = self._interruptible(lambda: self._chat.complete(sent))
        self._meter.count(reply.tokens)
        return _message(reply, cost=reply.tokens.cost_usd or 0.0)

    def format_message(self, **fields: object) -> Message:
        return fields

    def format_observation_messages(
        self, message: Message, outputs: list[Message], _template_vars: object = None
    ) -> list[Message]:
        """The results of the commands, one message a call."""
        extra = message["extra"]
        actions = extra["actions"] if isinstance(extra, dict) else []
        return [
            {
                "role": "tool",
                "tool_call_id": action["tool_call_id"],
                "content": json.dumps(
                    {"returncode": output["returncode"], "output": output["output"]}
                ),
                "extra": {"timestamp": time.time()},
            }
            for action, output in zip(actions, outputs, strict=True)
        ]

    def get_template_vars(self, **_: object) -> Message:
        return {}

    def serialize(self) -> Message:
        return {"info": {"config": {"model": type(self._chat).__name__}}}


def _message(reply: Reply, *, cost: float) -> Message:
    if not reply.calls:
        raise _format_error(_CUT if reply.is_cut else _NO_CALL, reply, cost)
    actions = [_action(call, reply, cost) for call in reply.calls]
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in reply.calls
    ]
    return {
        "role": "assistant",
        "content": reply.text,
        "tool_calls": calls,
        "extra": {"actions": actions, "cost": cost, "timestamp": time.time()},
    }


def _action(call: Call, reply: Reply, cost: float) -> dict[str, str]:
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError) as exc:
        raise _format_error(f"The arguments are not JSON: {exc}", reply, cost) from exc
    command = arguments.get("command") if isinstance(arguments, dict) else None
    if call.name != TOOL or not isinstance(command, str):
        raise _format_error(_NO_CALL, reply, cost)
    return {"command": command, "tool_call_id": call.id}


def _format_error(message: str, reply: Reply, cost: float) -> FormatError:
    extra = {"interrupt_type": "FormatError", "cost": cost, "response": reply.text}
    return FormatError({"role": "user", "content": message, "extra": extra})
