"""Anthropic's messages API."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

import anthropic
import httpx2
from anthropic.types import MessageParam, ToolParam

from ..network.client import Network
from . import answer, chat, provider_errors
from .chat_client import ChatClient
from .provider_urls import base_url

EPHEMERAL: Final = {"type": "ephemeral"}
CACHED_TURNS: Final = 2
"""Of the user: the point of the turn before is found again, and a new one is set."""
BLOCKS: Final = "blocks"
"""The part of a message that holds the provider's content, thinking and signatures included."""
THINKING_TOKENS: Final = {"low": 2_000, "medium": 6_000, "high": 12_000}
"""For models that know no effort; less than the largest answer."""
SMALL_ANSWER_TOKENS: Final = 4_096
"""Every model of theirs can give as many."""
_BUDGETED: Final = re.compile(
    r"claude-(?:3-7|(?:sonnet|opus)-4(?:-[01]\b|-2|$)|(?:sonnet|haiku)-4-5)"
)
"""Models that think within a budget of tokens and refuse an effort."""
_UNADAPTIVE: Final = re.compile(r"claude-opus-4-5")
"""A model that takes an effort, and cannot choose itself how long it thinks."""


class AnthropicChat(ChatClient[anthropic.Anthropic]):
    def _connect(self, network: Network) -> anthropic.Anthropic:
        url = base_url(self._model)
        return anthropic.Anthropic(
            api_key=self._model.secret_key.value,
            base_url=url,
            http_client=anthropic.DefaultHttpxClient(
                follow_redirects=False,
                trust_env=False,
                verify=network.context_for(url),
                proxy=network.proxies.of_url(url),
            ),
            # Who waits for the next try must end with the attempt.
            max_retries=0,
            timeout=httpx2.Timeout(chat.TOKEN_SECONDS, connect=chat.CONNECT_SECONDS),
        )

    def _signs(self) -> dict[str, tuple[str, ...]]:
        signs = {
            "stream": chat.STREAM_SIGNS,
            "cache points": ("cache_control",),
            "long answers": ("max_tokens",),
        }
        effort = ("effort", "output_config", "thinking", "adaptive")
        return signs | ({"effort": effort} if self._effort else {})

    def _ask(self, messages: list[chat.Message]) -> chat.Reply:
        tool = ToolParam(
            name=chat.TOOL,
            description=chat.TOOL_DESCRIPTION,
            input_schema=dict(chat.TOOL_PARAMETERS),
        )
        turns = _turns(messages[1:])
        system: answer.Part = {"type": "text", "text": str(messages[0]["content"])}
        if "cache points" in self._optional:
            _set_cache_points([system], turns)
        with (
            _translated_errors(),
            self._client.messages.with_streaming_response.create(
                model=self._model.name,
                max_tokens=self._most_tokens,
                messages=cast("list[MessageParam]", turns),
                tools=[tool],
                stream=True,
                extra_body={"system": [system], **self._parameters()},
            ) as response,
        ):
            answered = answer.read(
                response.http_response, lambda: response.parse(to=anthropic.Stream[object])
            )
        return self._reply(_assembled(answered))

    @property
    def _most_tokens(self) -> int:
        is_long = "long answers" in self._optional
        return chat.LARGEST_ANSWER_TOKENS if is_long else SMALL_ANSWER_TOKENS

    def _parameters(self) -> dict[str, object]:
        parameters: dict[str, object] = {} if "stream" in self._optional else {"stream": False}
        if "effort" not in self._optional or self._effort is None:
            return parameters
        if _BUDGETED.match(self._model.name):
            budget = THINKING_TOKENS[self._effort]
            return {**parameters, "thinking": {"type": "enabled", "budget_tokens": budget}}
        if not _UNADAPTIVE.match(self._model.name):
            parameters["thinking"] = {"type": "adaptive"}
        return {**parameters, "output_config": {"effort": self._effort}}

    def _reply(self, message: answer.Part) -> chat.Reply:
        if "content" not in message:
            raise provider_errors.malformed("it has no content", json.dumps(message))
        tokens = self._prices.tokens(message.get("usage"), "messages")
        blocks = [block for block in chat.items(message.get("content")) if not _is_blank(block)]
        text = "".join(
            chat.plain(block.get("text")) for block in blocks if block.get("type") == "text"
        )
        reason = chat.plain(message.get("stop_reason"))
        if reason == "refusal":
            details = chat.mapping(message.get("stop_details"))
            words = text or chat.plain(details.get("explanation"))
            raise provider_errors.declined(reason, words, tokens=tokens)
        if reason == "model_context_window_exceeded":
            raise provider_errors.ModelFailure(
                "model_context_exceeded", "the model's context is full", tokens=tokens
            )
        calls = [block for block in blocks if block.get("type") == "tool_use"]
        is_cut = reason == "max_tokens"
        if not (text.strip() or calls or is_cut):
            raise provider_errors.malformed(f"it is empty ({reason or 'no reason'})", tokens=tokens)
        return chat.Reply(
            message={"role": "assistant", "content": text, BLOCKS: blocks},
            text=text,
            calls=tuple(map(_call, calls)),
            tokens=tokens,
            is_cut=is_cut,
        )


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Turns the SDK's errors into `ModelFailure`."""
    try:
        yield
    except anthropic.APIStatusError as exc:
        if exc.status_code < 400:
            # Inside a stream.
            raise provider_errors.reported(chat.mapping(exc.body).get("error") or str(exc)) from exc
        raise provider_errors.refused(
            exc.status_code, exc.response.text, exc.response.headers
        ) from exc
    except anthropic.APIConnectionError as exc:
        raise provider_errors.unreachable(str(exc.__cause__ or exc)) from exc
    except httpx2.HTTPError as exc:
        # While the body of an error is read.
        raise provider_errors.unreachable(str(exc) or type(exc).__name__) from exc
    except (anthropic.AnthropicError, ValueError) as exc:
        raise provider_errors.malformed(str(exc)) from exc


def _assembled(answered: answer.Answer) -> answer.Part:
    """The whole message; raises `ModelFailure` if the stream ended before it."""
    if not answered.is_stream:
        return answered.parts[0]
    message: answer.Part = {}
    blocks: dict[object, answer.Part] = {}
    usage: answer.Part = {}
    for event in answered.parts:
        kind = event.get("type")
        if kind == "message_start":
            message = chat.mapping(event.get("message"))
            usage |= chat.mapping(message.get("usage"))
        elif kind == "content_block_start":
            blocks[event.get("index")] = {**chat.mapping(event.get("content_block"))}
        elif kind == "content_block_delta":
            _extend(blocks.setdefault(event.get("index"), {}), chat.mapping(event.get("delta")))
        elif kind == "message_delta":
            message = {**message, **chat.mapping(event.get("delta"))}
            given = chat.mapping(event.get("usage")).items()
            usage |= {name: value for name, value in given if value is not None}
        elif kind == "error":
            raise provider_errors.reported(event.get("error") or event)
        elif kind == "message_stop":
            content = [_whole(block) for block in blocks.values()]
            return {**message, "content": content, "usage": usage}
    raise provider_errors.broken_off()


def _extend(block: answer.Part, delta: answer.Part) -> None:
    for name, value in delta.items():
        if name != "type" and isinstance(value, str):
            block[name] = chat.plain(block.get(name)) + value


def _whole(block: answer.Part) -> answer.Part:
    """The block with its input, which came as pieces of JSON; as text if they are none."""
    pieces = block.pop("partial_json", None)
    if not isinstance(pieces, str) or not pieces:
        return block
    try:
        return {**block, "input": json.loads(pieces)}
    except (ValueError, RecursionError):
        return {**block, "input": pieces}


def _is_blank(block: answer.Part) -> bool:
    """True for a text that the API gives, but does not take back."""
    return block.get("type") == "text" and not chat.plain(block.get("text")).strip()


def _call(block: answer.Part) -> chat.Call:
    return chat.Call(
        id=chat.plain(block.get("id")),
        name=chat.plain(block.get("name")),
        arguments=chat.arguments(block.get("input")),
    )


def _turns(messages: list[chat.Message]) -> list[answer.Part]:
    """Joins neighbours of one role: this API wants user and assistant in turn."""
    turns: list[tuple[str, list[answer.Part]]] = []
    for message in messages:
        role, blocks = _blocks(message)
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, list(blocks)))
    return [{"role": role, "content": blocks} for role, blocks in turns]


def _blocks(message: chat.Message) -> tuple[str, list[answer.Part]]:
    if message["role"] == "assistant":
        return "assistant", chat.items(message[BLOCKS])
    text = str(message.get("content") or "")
    if message["role"] == "tool":
        answered = message["tool_call_id"]
        return "user", [{"type": "tool_result", "tool_use_id": answered, "content": text}]
    return "user", [{"type": "text", "text": text}] if text else []


def _set_cache_points(system: list[answer.Part], turns: list[answer.Part]) -> None:
    users = [chat.items(turn["content"]) for turn in turns if turn["role"] == "user"]
    for blocks in (system, *users[-CACHED_TURNS:]):
        if blocks:
            blocks[-1]["cache_control"] = EPHEMERAL
