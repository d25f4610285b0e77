"""The fake model speaks OpenAI's protocol, as OpenAI's own client sees it."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest

from gateway.demo.model import SCRIPTED, ScriptedModel
from gateway.demo.sample import BROKEN
from gateway.demo.script import ADD_FILE, MEND_SAMPLE
from gateway.demo.serve import serving

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

KEY = "sk-of-the-demo"


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serving(ScriptedModel(key=KEY, now=lambda: 1_790_000_000).app) as address:
        yield address


def opened(url: str, key: str = KEY) -> "openai.AsyncOpenAI":
    """Their client."""
    import openai  # noqa: PLC0415 - takes a second

    return openai.AsyncOpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0)


@pytest.fixture
async def client(url: str) -> "AsyncIterator[openai.AsyncOpenAI]":
    async with opened(url) as client:
        yield client


async def ask(
    client: "openai.AsyncOpenAI", messages: "list[ChatCompletionMessageParam]"
) -> "ChatCompletion":
    return await client.chat.completions.create(
        model="gpt-5",
        messages=messages,
        tools=[{"type": "function", "function": {"name": "bash", "parameters": {}}}],
    )


async def commands(client: "openai.AsyncOpenAI", shown: str, turns: int) -> list[str]:
    """The commands it asks for if the first one prints this."""
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Mend it"}]
    asked: list[str] = []
    for _ in range(turns):
        message = (await ask(client, messages)).choices[0].message
        assert message.tool_calls
        call = message.tool_calls[0]
        assert call.type == "function"
        asked.append(call.function.arguments)
        messages.append(
            {
                "role": "assistant",
                "content": message.content,
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": "bash", "arguments": call.function.arguments},
                    }
                ],
            }
        )
        messages.append({"role": "tool", "tool_call_id": call.id, "content": shown})
    return asked


async def test_it_mends_the_sample_turn_by_turn(client: "openai.AsyncOpenAI") -> None:
    asked = await commands(client, BROKEN, len(MEND_SAMPLE))
    assert "make test" in asked[1]
    assert "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT" in asked[-1]


async def test_it_adds_a_file_anywhere_else(client: "openai.AsyncOpenAI") -> None:
    asked = await commands(client, "README.md", len(ADD_FILE))
    assert "slipgate-demo.md" in asked[1]
    assert "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT" in asked[-1]


async def test_it_says_that_it_is_scripted_and_counts_tokens(client: "openai.AsyncOpenAI") -> None:
    completion = await ask(client, [{"role": "user", "content": "x" * 400}])
    assert completion.system_fingerprint == SCRIPTED
    assert (completion.choices[0].message.content or "").startswith("[scripted]")
    assert completion.choices[0].finish_reason == "tool_calls"
    usage = completion.usage
    assert usage is not None
    assert usage.prompt_tokens == 100
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert [model.id async for model in client.models.list()] == [SCRIPTED]


async def test_a_wrong_key_is_refused(url: str) -> None:
    import openai  # noqa: PLC0415 - takes a second

    async with opened(url, "wrong") as client:
        with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
            await ask(client, [{"role": "user", "content": "x"}])


@pytest.mark.parametrize(
    "body",
    [b"{", b"{}", b'{"model":"m","messages":[]}', b'{"model":"m","messages":[{"role":"user"}]}'],
)
async def test_what_it_cannot_answer_is_a_bad_request(url: str, body: bytes) -> None:
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, timeout=60) as client:
        answer = await client.post(f"{url}/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_a_streamed_answer_is_the_same_as_a_whole_one(client: "openai.AsyncOpenAI") -> None:
    whole = await ask(client, [{"role": "user", "content": "Mend it"}])
    stream = await client.chat.completions.create(
        model="gpt-5",
        messages=[{"role": "user", "content": "Mend it"}],
        tools=[{"type": "function", "function": {"name": "bash", "parameters": {}}}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    (delta, end) = (chunk.choices[0] for chunk in chunks[:2])
    message = whole.choices[0].message
    assert delta.delta.content == message.content
    assert delta.delta.tool_calls
    assert message.tool_calls
    function = delta.delta.tool_calls[0].function
    assert function is not None
    assert message.tool_calls[0].type == "function"
    assert function.arguments == message.tool_calls[0].function.arguments
    assert end.finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].usage == whole.usage
