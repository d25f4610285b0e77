"""The answers of providers as they come over the wire."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import httpx2
import pytest

from snapshot.runner.agent import answer, chat
from snapshot.runner.agent.chat_stream import assembled
from snapshot.runner.agent.provider_errors import ModelFailure
from snapshot.runner.configuration import ModelAccess
from snapshot.runner.variables import Secret
from tests.snapshot.clients import client_of

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@contextmanager
def serving(sent: bytes, *, closes: bool) -> Iterator[str]:
    """The address of a server that sends this and closes, or says no more."""
    over = threading.Event()
    if closes:
        over.set()

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(sent)
            over.wait()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        thread.join()


def test_a_stream_that_falls_silent_is_given_up_before_the_time_for_a_first_byte() -> None:
    began = time.monotonic()
    with (
        serving(HEAD + b"data: {}\n\n", closes=False) as url,
        httpx2.Client(timeout=100) as client,
        client.stream("GET", url) as response,
        pytest.raises(ModelFailure) as caught,
    ):
        answer.read(response, response.iter_bytes, silent_seconds=0.05)
    assert caught.value.code == "model_unreachable"
    assert caught.value.retryable
    assert time.monotonic() - began < 50


@pytest.mark.parametrize(
    "sent",
    [
        b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"choices": [',
        HEAD.replace(b"\r\n\r\n", b"\r\ncontent-length: 500\r\n\r\n") + b"data: {}\n\n",
    ],
    ids=["a document", "a stream"],
)
def test_a_connection_that_ends_too_early_is_an_answer_that_broke_off(sent: bytes) -> None:
    with (
        serving(sent, closes=True) as url,
        httpx2.Client(timeout=100) as client,
        client.stream("GET", url) as response,
        pytest.raises(ModelFailure, match="broke off") as caught,
    ):
        answer.read(response, response.iter_bytes)
    assert caught.value.retryable


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_an_error_that_breaks_off_can_be_asked_again(provider: str) -> None:
    sent = b'HTTP/1.1 500 Oops\r\ncontent-length: 500\r\n\r\n{"error": '
    messages: list[chat.Message] = [{"role": "system", "content": "Be careful."}]
    with serving(sent, closes=True) as url:
        client = client_of(ModelAccess(provider=provider, name="m", key=Secret("k"), base_url=url))
        with pytest.raises(ModelFailure) as caught:
            client.complete([*messages, {"role": "user", "content": "Do it."}])
    assert caught.value.retryable


def stream() -> httpx2.Response:
    """The head of a stream."""
    headers = {"content-type": "text/event-stream"}
    return httpx2.Response(200, headers=headers, request=httpx2.Request("POST", "http://x"))


def test_signs_of_life_alone_are_no_answer() -> None:
    with pytest.raises(ModelFailure, match="signs of life"):
        answer.read(stream(), lambda: [{"type": "ping"}] * 50, clock=count(step=10.0).__next__)


def test_a_long_answer_has_all_the_time_it_needs() -> None:
    tokens: list[answer.Part] = [{"choices": [{"delta": {}}]}] * 50
    read = answer.read(stream(), lambda: tokens, clock=count(step=100.0).__next__)
    assert len(read.parts) == 50


def test_an_answer_without_end_is_given_up() -> None:
    with pytest.raises(ModelFailure, match="does not end"):
        answer.read(stream(), lambda: ({"x": "y" * 2**20} for _ in count()))


def test_pieces_of_reasoning_are_joined_and_whole_parts_are_not() -> None:
    pieces = [
        {"type": "reasoning.text", "text": "I ", "index": 0},
        {"type": "reasoning.text", "text": "think", "index": 0},
        {"type": "reasoning.text", "signature": "s", "index": 0},
        {"type": "reasoning.text", "text": "More", "index": 0},
        {"type": "reasoning.encrypted", "data": "a", "index": 0},
        {"type": "reasoning.encrypted", "data": "b", "index": 0},
    ]
    parts: list[answer.Part] = [
        {"choices": [{"index": 0, "delta": {"reasoning_details": [piece]}}]} for piece in pieces
    ]
    end: answer.Part = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    whole = assembled(answer.Answer(is_stream=True, parts=(*parts, end)))
    (choice,) = chat.items(whole["choices"])
    assert chat.mapping(choice["message"])["reasoning_details"] == [
        {"type": "reasoning.text", "text": "I think", "signature": "s", "index": 0},
        *pieces[3:],
    ]


def test_halves_of_a_character_are_joined_and_lone_ones_replaced() -> None:
    halves = {"a": ["\ud83d\ude00", "x\ud800", 5]}
    assert chat.sendable(halves) == {"a": ["😀", "x\ufffd", 5]}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "model_garbage"),
        (b"null", "model_garbage"),
        (b"<h1>Busy</h1>", "model_garbage"),
        (b"[" * 100_000, "model_garbage"),
        (b'{"error": {"code": 429, "message": "slow down"}}', "model_rate_limited"),
        (b'[{"error": {"code": 503, "message": "overloaded"}}]', "model_unavailable"),
        (b'{"error": "insufficient credits"}', "model_quota"),
    ],
)
def test_a_document_that_is_no_answer_has_a_code(body: bytes, code: str) -> None:
    response = httpx2.Response(200, content=body, request=httpx2.Request("POST", "http://x"))
    with pytest.raises(ModelFailure) as caught:
        answer.read(response, list)
    assert caught.value.code == code
