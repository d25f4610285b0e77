"""OpenAI's Responses, for its own models: the one protocol that takes reasoning and tools together.

Nothing is stored at the provider: its items, encrypted reasoning included, go back at each turn.
"""

import json
from typing import Final, cast

import openai
from openai.types.responses import ResponseInputParam

from ..network.client import Network
from . import answer, chat, provider_errors
from .chat_client import ChatClient
from .openai_client import client, translated_errors

ENCRYPTED: Final = "reasoning.encrypted_content"
ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
ITEMS: Final = "items"
"""The part of a message that holds the provider's items."""


class ResponsesChat(ChatClient[openai.OpenAI]):
    def _connect(self, network: Network) -> openai.OpenAI:
        return client(self._model, network)

    def _signs(self) -> dict[str, tuple[str, ...]]:
        signs = {"stream": chat.STREAM_SIGNS, "encrypted reasoning": ("encrypted",)}
        return signs | ({"effort": ("effort", "reasoning")} if self._effort else {})

    def _ask(self, messages: list[chat.Message]) -> chat.Reply:
        with (
            translated_errors(),
            self._client.responses.with_streaming_response.create(
                model=self._model.name,
                instructions=str(messages[0]["content"]),
                input=cast("ResponseInputParam", self._input(messages[1:])),
                tools=[
                    {
                        "type": "function",
                        "name": chat.TOOL,
                        "description": chat.TOOL_DESCRIPTION,
                        "parameters": chat.TOOL_PARAMETERS,
                        "strict": False,
                    }
                ],
                store=False,
                stream=True,
                extra_body=self._parameters(),
            ) as response,
        ):
            answered = answer.read(
                response.http_response,
                lambda: response.parse(to=openai.Stream[object]),
                silent_seconds=chat.TOKEN_SECONDS,
            )
        return self._reply(_assembled(answered))

    def _parameters(self) -> dict[str, object]:
        parameters: dict[str, object] = {}
        if "stream" not in self._optional:
            parameters["stream"] = False
        if "encrypted reasoning" in self._optional:
            parameters["include"] = [ENCRYPTED]
        if "effort" in self._optional:
            parameters["reasoning"] = {"effort": self._effort}
        return parameters

    def _input(self, messages: list[chat.Message]) -> list[answer.Part]:
        sent: list[answer.Part] = []
        for message in messages:
            if ITEMS in message:
                sent += filter(_can_be_sent_back, chat.items(message[ITEMS]))
            elif message["role"] == "tool":
                result = {"call_id": message["tool_call_id"], "output": message["content"]}
                sent.append({"type": "function_call_output", **result})
            else:
                sent.append({"role": message["role"], "content": message["content"]})
        return sent

    def _reply(self, response: answer.Part) -> chat.Reply:
        if "output" not in response:
            raise provider_errors.malformed("it has no output", json.dumps(response))
        tokens = self._prices.tokens(response.get("usage"), "responses")
        output = [_without_nulls(item) for item in chat.items(response.get("output"))]
        reason = chat.plain(chat.mapping(response.get("incomplete_details")).get("reason"))
        parts = [part for item in output for part in chat.items(item.get("content"))]
        text = "".join(chat.plain(part.get("text")) for part in parts if "text" in part)
        refusal = "".join(chat.plain(part.get("refusal")) for part in parts)
        if refusal or reason == "content_filter":
            raise provider_errors.declined(reason or "refusal", refusal or text, tokens=tokens)
        calls = [item for item in output if item.get("type") == "function_call"]
        is_cut = reason == "max_output_tokens"
        if not (text.strip() or calls or is_cut):
            raise provider_errors.malformed("it is empty", tokens=tokens)
        return chat.Reply(
            message={"role": "assistant", "content": text, ITEMS: output},
            text=text,
            calls=tuple(map(_call, calls)),
            tokens=tokens,
            is_cut=is_cut,
        )


def _assembled(answered: answer.Answer) -> answer.Part:
    """The whole response; raises `ModelFailure` if it failed or the stream ended before it."""
    if not answered.is_stream:
        return _checked(answered.parts[0])
    done: list[object] = []
    for event in answered.parts:
        if event.get("type") == "response.output_item.done":
            done.append(event.get("item"))
        elif event.get("type") == "error":
            raise provider_errors.reported(event.get("error") or event)
        elif event.get("type") in ENDS:
            response = _checked(chat.mapping(event.get("response")))
            return {**response, "output": response.get("output") or done}
    raise provider_errors.broken_off()


def _checked(response: answer.Part) -> answer.Part:
    if response.get("error") or response.get("status") == "failed":
        raise provider_errors.reported(response.get("error") or "the response failed")
    return response


def _call(item: answer.Part) -> chat.Call:
    return chat.Call(
        id=chat.plain(item.get("call_id")),
        name=chat.plain(item.get("name")),
        arguments=chat.arguments(item.get("arguments") or ""),
    )


def _can_be_sent_back(item: answer.Part) -> bool:
    """False for reasoning that is not encrypted: nothing of it is stored where its id is sought."""
    return item.get("type") != "reasoning" or "encrypted_content" in item


def _without_nulls(item: answer.Part) -> answer.Part:
    return {name: value for name, value in item.items() if value is not None}
