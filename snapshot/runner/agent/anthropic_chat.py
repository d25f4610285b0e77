"""Anthropic's messages API, translated from messages in OpenAI's form."""

import json
from typing import Final, cast

import anthropic
from anthropic.types import Message as Answer
from anthropic.types import MessageParam, ToolParam

from ..configuration import ModelAccess
from ..network.client import PLAIN, Network
from . import chat
from .usage import priced

BASE_URL: Final = "https://api.anthropic.com"


class AnthropicChat:
    def __init__(
        self, model: ModelAccess, *, network: Network = PLAIN, retries: int = chat.RETRIES
    ) -> None:
        self._model = model
        base_url = model.base_url or BASE_URL
        self._client = anthropic.Anthropic(
            api_key=model.key.value if model.key else "",
            base_url=base_url,
            http_client=anthropic.DefaultHttpxClient(
                trust_env=False, verify=network.context, proxy=network.proxies.of_url(base_url)
            ),
            max_retries=retries,
            timeout=chat.TIMEOUT_SECONDS,
        )

    def complete(self, messages: list[chat.Message]) -> chat.Reply:
        """Ask once; the SDK retries temporary errors."""
        tool = ToolParam(
            name=chat.TOOL,
            description=chat.TOOL_DESCRIPTION,
            input_schema=dict(chat.TOOL_PARAMETERS),
        )
        try:
            answer = self._client.messages.create(
                model=self._model.name,
                max_tokens=chat.LARGEST_ANSWER_TOKENS,
                system=str(messages[0]["content"]),
                messages=_turns(messages[1:]),
                tools=[tool],
                cache_control={"type": "ephemeral"},
            )
        except anthropic.APIStatusError as exc:
            raise chat.refused(exc.status_code, exc.message) from exc
        except anthropic.APIConnectionError as exc:
            raise chat.unreachable(str(exc.__cause__ or exc)) from exc
        except (anthropic.AnthropicError, ValueError) as exc:
            raise chat.garbage(str(exc)) from exc
        try:
            return self._reply(answer)
        except (AttributeError, LookupError, TypeError, ValueError) as exc:
            # The SDK does not check what it parsed: a page of HTML comes back as a string.
            raise chat.garbage("it is no message") from exc

    def _reply(self, answer: Answer) -> chat.Reply:
        usage = answer.usage
        cached = chat.count(usage.cache_read_input_tokens) + chat.count(
            usage.cache_creation_input_tokens
        )
        return chat.Reply(
            text="".join(
                chat.plain(block.text) for block in answer.content if block.type == "text"
            ),
            calls=tuple(
                chat.Call(
                    id=chat.plain(block.id),
                    name=chat.plain(block.name),
                    arguments=chat.arguments(block.input),
                )
                for block in answer.content
                if block.type == "tool_use"
            ),
            tokens=priced(
                self._model.provider,
                self._model.name,
                input_tokens=chat.count(usage.input_tokens) + cached,
                output_tokens=chat.count(usage.output_tokens),
            ),
            is_cut=answer.stop_reason == "max_tokens",
        )


def _turns(messages: list[chat.Message]) -> list[MessageParam]:
    """Joins neighbours of one role: this API wants user and assistant in turn."""
    turns: list[MessageParam] = []
    for message in messages:
        role, blocks = _blocks(message)
        if turns and turns[-1]["role"] == role:
            cast("list[object]", turns[-1]["content"]).extend(blocks)
        else:
            turns.append(cast("MessageParam", {"role": role, "content": blocks}))
    return turns


def _blocks(message: chat.Message) -> tuple[str, list[object]]:
    text = str(message.get("content") or "")
    texts: list[object] = [{"type": "text", "text": text}] if text else []
    if message["role"] == "tool":
        answered = message["tool_call_id"]
        return "user", [{"type": "tool_result", "tool_use_id": answered, "content": text}]
    if message["role"] == "assistant":
        calls = cast("list[dict[str, object]]", message.get("tool_calls") or [])
        return "assistant", texts + [_use(call) for call in calls]
    return "user", texts


def _use(call: dict[str, object]) -> dict[str, object]:
    function = cast("dict[str, str]", call["function"])
    given = json.loads(function["arguments"])
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": given}
