"""Whatever comes, a decoder gives a message or says by code and path what is wrong."""

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.web.http.codes import STATUS
from gateway.web.http.problems import document, to_api_error
from gateway.web.openapi.document import operation_of
from gateway.web.openapi.examples import example_of
from gateway.web.routes import ROUTES
from gateway.wire import agent_body, flat_events
from gateway.wire.decode import WrongShape, decode
from gateway.wire.own_events import NewEvents
from tests.hostile import FLAT, bodies, signed_words

REQUESTS: Final = {
    body.kind: decode(body.kind, msgspec.json.encode(example_of(body.kind, body.example)))
    for body in (operation_of(route).body for route in ROUTES)
    if body is not None and not body.is_raw
}
SIGNED: Final = signed_words("task_1")


def refusal(read: Callable[[bytes], object], body: bytes) -> WrongShape | None:
    """The error of the body, or None if it was accepted."""
    try:
        read(body)
    except WrongShape as exc:
        return exc
    return None


def hold(read: Callable[[bytes], object], body: bytes) -> None:
    """A refusal can be shown, and names what is wrong."""
    exc = refusal(read, body)
    if exc is not None:
        shown = msgspec.json.encode(document("r", to_api_error(exc)))
        assert exc.code in STATUS
        assert len(shown) < 30_000
        assert exc.errors or exc.code == "invalid_json"


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
@settings(max_examples=15)  # of each of so many kinds
@given(data=st.data())
def test_a_request_is_taken_or_refused(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    hold(lambda body: decode(kind, body), data.draw(bodies(REQUESTS[kind])))


@given(bodies(*SIGNED))
def test_an_addressee_is_found_or_not(body: bytes) -> None:
    hold(agent_body.read_target, body)


@given(bodies(*SIGNED))
def test_a_signed_word_is_taken_or_refused(body: bytes) -> None:
    if refusal(agent_body.read_target, body) is None:
        hold(agent_body.decode, body)


@given(bodies(*SIGNED))
def test_what_is_stored_of_a_word_is_json_that_says_the_same(body: bytes) -> None:
    if refusal(agent_body.read_target, body) is None and refusal(agent_body.decode, body) is None:
        word = agent_body.decode(body)
        assert msgspec.json.decode(word.data, type=type(word.message)) == word.message


@given(bodies(*FLAT))
def test_a_flat_word_is_taken_or_refused(body: bytes) -> None:
    hold(flat_events.decode, body)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize(("depth", "is_taken"), [(29, True), (31, False), (900, False)])
def test_no_word_is_nested_deeper_than_its_readers_bear(
    opening: str, depth: int, is_taken: bool
) -> None:
    closing = {"[": "]", "{": "}"}[opening[0]]
    deep = msgspec.Raw(f"{opening * depth}1{closing * depth}".encode())
    word = {"type": "task.heartbeat", "data": {"taskId": "t", "attempt": 1, "x": deep}}
    for read in (agent_body.read_target, flat_events.decode):
        exc = refusal(read, msgspec.json.encode(word))
        assert (exc is None) == is_taken
        assert exc is None or exc.code == "invalid_json"


def test_a_part_that_stays_as_it_came_is_no_mistake() -> None:
    body = b'{"events": [{"type": "a.b", "data": {}}, {"type": "invoice", "data": {}}]}'
    exc = refusal(partial(decode, NewEvents), body)
    assert exc is not None
    assert [error.path for error in exc.errors] == ["$.events[1].type"]


def test_brackets_inside_a_text_are_no_nesting() -> None:
    chunk = '[{"\\' * 1_000
    word = {"type": "task.log", "data": {"taskId": "t", "attempt": 1, "offset": 0, "chunk": chunk}}
    assert agent_body.read_target(msgspec.json.encode(word)) == ("t", 1)


def test_a_number_that_nothing_can_hold_is_named() -> None:
    exc = refusal(flat_events.decode, b'{"type": "task.heartbeat", "load": 1e999}')
    assert exc is not None
    assert [error.path for error in exc.errors] == ["$[...]"]
