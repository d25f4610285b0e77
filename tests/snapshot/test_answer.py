"""The answers of providers as they come over the wire."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest

from snapshot.runner.agent import answer, chat
from snapshot.runner.agent.chat_stream import assembled
from snapshot.runner.agent.provider_errors import ModelFailure

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that begins a stream and says no more."""
    over = threading.Event()

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(HEAD + b"data: {}\n\n")
            over.wait()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        thread.join()


def test_a_stream_that_falls_silent_is_given_up_before_the_time_for_a_first_byte(
    silent_server: str,
) -> None:
    began = time.monotonic()
    with (
        httpx2.Client(timeout=100) as client,
        client.stream("GET", silent_server) as response,
        pytest.raises(ModelFailure) as caught,
    ):
        answer.read(response, response.iter_bytes, silent_seconds=0.05)
    assert caught.value.code == "model_unreachable"
    assert caught.value.retryable
    assert time.monotonic() - began < 50


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
