"""OpenAI's chat completions, and every server of their protocol."""

import json
from typing import Final, cast

import openai
from openai.types.chat import ChatCompletionMessageParam

from ..network.client import Network
from . import answer, chat, provider_errors
from .chat_client import ChatClient
from .chat_stream import assembled
from .openai_client import client, translated_errors

EPHEMERAL: Final = {"type": "ephemeral"}
CACHED_MESSAGES: Final = 2
"""The last ones of ours: the point of the turn before is found again, and a new one is set."""
_GIVEN: Final = frozenset({"user", "tool"})
_NOT_SENT: Final = frozenset({"refusal", "annotations", "audio", "function_call", "extra"})
"""Fields of an answer that servers do not take back."""
_STANDARD: Final = frozenset({"role", "content", "tool_calls", "tool_call_id"})
_SIGNS: Final[dict[str, tuple[str, ...]]] = {
    "stream_options": ("stream_options", "include_usage"),
    "stream": chat.STREAM_SIGNS,
    "reasoning": ("reasoning_details", "reasoning_content", "'reasoning' is unsupported"),
}


class OpenAIChat(ChatClient[openai.OpenAI]):
    def _connect(self, network: Network) -> openai.OpenAI:
        return client(self._model, network)

    def _signs(self) -> dict[str, tuple[str, ...]]:
        signs = dict(_SIGNS)
        if self._effort:
            signs["effort"] = ("effort", "reasoning", "thinking")
        if self._is_router and self._model.name.startswith("anthropic/"):
            signs["cache points"] = ("cache_control",)
        return signs

    @property
    def _is_router(self) -> bool:
        return self._model.provider == "openrouter"

    def _ask(self, messages: list[chat.Message]) -> chat.Reply:
        with (
            translated_errors(),
            self._client.chat.completions.with_streaming_response.create(
                model=self._model.name,
                # Our messages have this form already; only the checker does not know.
                messages=cast("list[ChatCompletionMessageParam]", self._sent(messages)),
                tools=[
                    {
                        "type": "function",
                        "function": {
                            "name": chat.TOOL,
                            "description": chat.TOOL_DESCRIPTION,
                            "parameters": chat.TOOL_PARAMETERS,
                        },
                    }
                ],
                stream=True,
                extra_body=self._parameters(),
            ) as response,
        ):
            answered = answer.read(
                response.http_response, lambda: response.parse(to=openai.Stream[object])
            )
        return self._reply(assembled(answered))

    def _parameters(self) -> dict[str, object]:
        parameters: dict[str, object] = {}
        if "stream" not in self._optional:
            parameters["stream"] = False
        elif "stream_options" in self._optional:
            parameters["stream_options"] = {"include_usage": True}
        if self._is_router:
            parameters["usage"] = {"include": True}
        if "effort" in self._optional:
            effort = {"reasoning": {"effort": self._effort}}
            parameters |= effort if self._is_router else {"reasoning_effort": self._effort}
        return parameters

    def _sent(self, messages: list[chat.Message]) -> list[chat.Message]:
        fields = _STANDARD if "reasoning" not in self._optional else None
        sent = [_without_empty(message, fields) for message in messages]
        if "cache points" in self._optional:
            given = [i for i, message in enumerate(sent) if message["role"] in _GIVEN]
            for place in (0, *given[-CACHED_MESSAGES:]):
                sent[place] = _with_cache_point(sent[place])
        return sent

    def _reply(self, completion: answer.Part) -> chat.Reply:
        choices = chat.items(completion.get("choices"))
        if not choices:
            raise provider_errors.malformed("it has no choice", json.dumps(completion))
        choice = choices[0]
        message = chat.mapping(choice.get("message"))
        tokens = self._prices.tokens(completion.get("usage"), "chat")
        finish = chat.plain(choice.get("finish_reason")).lower()
        if choice.get("error") or finish == "error":
            raise provider_errors.reported(
                choice.get("error") or "the provider's answer ends in an error"
            )
        text, refusal = chat.plain(message.get("content")), chat.plain(message.get("refusal"))
        if refusal or finish.startswith("content_filter"):
            raise provider_errors.declined(finish or "refusal", refusal or text, tokens=tokens)
        calls = _with_ids(chat.items(message.get("tool_calls")))
        is_cut = finish == "length"
        if not (text.strip() or calls or is_cut):
            raise provider_errors.malformed(f"it is empty ({finish or 'no reason'})", tokens=tokens)
        whole = {**message, "role": "assistant", "content": text or None}
        return chat.Reply(
            message={**whole, "tool_calls": calls} if calls else whole,
            text=text,
            calls=tuple(map(_call, calls)),
            tokens=tokens,
            is_cut=is_cut,
        )


def _with_ids(calls: list[answer.Part]) -> list[answer.Part]:
    """The calls, each with an id of its own: some servers give none."""
    seen: set[str] = set()
    named = []
    for number, call in enumerate(calls):
        given = chat.plain(call.get("id"))
        identifier = given if given and given not in seen else f"{given or 'call'}_{number}"
        seen.add(identifier)
        function = chat.mapping(call.get("function"))
        cleaned = {
            **function,
            "name": chat.plain(function.get("name")),
            "arguments": chat.arguments(function.get("arguments") or ""),
        }
        others = {name: value for name, value in call.items() if name != "index"}
        named.append({**others, "id": identifier, "type": "function", "function": cleaned})
    return named


def _call(call: answer.Part) -> chat.Call:
    function = chat.mapping(call["function"])
    return chat.Call(
        id=str(call["id"]), name=str(function["name"]), arguments=str(function["arguments"])
    )


def _without_empty(message: chat.Message, fields: frozenset[str] | None) -> chat.Message:
    return {
        name: value
        for name, value in message.items()
        if name not in _NOT_SENT
        and (name == "content" or value not in (None, "", [], {}))
        and (fields is None or name in fields)
    }


def _with_cache_point(message: chat.Message) -> chat.Message:
    text = message.get("content")
    if not isinstance(text, str) or not text:
        return message
    part = {"type": "text", "text": text, "cache_control": EPHEMERAL}
    return {**message, "content": [part]}
