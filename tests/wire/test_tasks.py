"""`POST /v1/tasks`: what is taken, and how everything that is wrong is named."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.decode import MAX_ERRORS, MAX_MESSAGE, WrongShape, decode
from gateway.wire.tasks import AgentSpec, NewTask, Page, TimeoutSpec

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
FIELDS = [field.encode_name for field in msgspec.structs.fields(NewTask)]


def body(**fields: object) -> bytes:
    whole = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Do it", **fields}
    return msgspec.json.encode(whole)


def wrong_paths(raw: bytes) -> list[str]:
    with pytest.raises(WrongShape) as caught:
        decode(NewTask, raw)
    assert caught.value.code == "invalid_request"
    return [error.path for error in caught.value.errors]


def test_a_task_needs_only_a_repository_and_a_prompt() -> None:
    task = decode(NewTask, body())
    assert task.timeouts == TimeoutSpec(queue_seconds=900, heartbeat_seconds=300, run_seconds=3600)
    assert (task.priority, task.max_attempts, task.on_stall) == (5, 1, "flag")
    assert (task.agent.engine, task.agent.max_turns) == ("mini", 60)


def test_a_whole_task_is_read() -> None:
    task = decode(
        NewTask,
        body(
            agent={"engine": "command", "command": ["claude", "-p"]},
            validate=[["make", "test"]],
            env={"FEATURE_X": "1"},
            notBefore="2026-09-21T14:13:20.123Z",
            metadata={"userId": "u_1"},
        ),
    )
    assert task.agent.command == ("claude", "-p")
    assert task.validate == (("make", "test"),)
    assert task.not_before is not None


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"prompt": ""}, "$.prompt"),
        ({"prompt": "x" * 200_001}, "$.prompt"),
        ({"prompt": "a\0b"}, "$.prompt"),
        ({"title": "a\nb"}, "$.title"),
        ({"title": "a\n"}, "$.title"),
        ({"snapshot": "--help"}, "$.snapshot"),
        ({"snapshot": "one\n"}, "$.snapshot"),
        ({"priority": 10}, "$.priority"),
        ({"priority": True}, "$.priority"),
        ({"maxAttempts": 0}, "$.maxAttempts"),
        ({"maxAttempts": 21}, "$.maxAttempts"),
        ({"onStall": "shrug"}, "$.onStall"),
        ({"timeouts": {"runSeconds": 86_401}}, "$.timeouts.runSeconds"),
        ({"timeouts": {"runSeconds": 0}}, "$.timeouts.runSeconds"),
        ({"timeouts": {"runseconds": 5}}, "$.timeouts.runseconds"),
        ({"agent": {"engine": "command"}}, "$.agent"),
        ({"agent": {"engine": "claude-code", "modelProvider": "openai"}}, "$.agent"),
        ({"agent": {"engine": "codex", "modelProvider": "anthropic"}}, "$.agent"),
        ({"agent": {"engine": "cursor"}}, "$.agent.engine"),
        ({"agent": {"command": []}}, "$.agent.command"),
        ({"agent": {"command": ["a\0"]}}, "$.agent.command[0]"),
        ({"validate": [["make"], []]}, "$.validate[1]"),
        ({"validate": [["make"], "make test"]}, "$.validate[1]"),
        ({"env": {"A-B": "1"}}, "$.env.A-B"),
        ({"env": {"A\n": "1"}}, "$.env.A\n"),
        ({"env": {"A": "1\0"}}, "$.env.A"),
        ({"env": {"A": 1}}, "$.env.A"),
        ({"notBefore": "tomorrow"}, "$.notBefore"),
        ({"notBefore": "2026-09-21T14:13:20"}, "$.notBefore"),
        ({"metadata": {"a": 1}}, "$.metadata.a"),
        ({"metadata": {str(i): "" for i in range(51)}}, "$.metadata"),
        ({"nonsense": 1}, "$.nonsense"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(fields: dict[str, object], path: str) -> None:
    assert wrong_paths(body(**fields)) == [path]


def test_all_wrong_paths_are_named_at_once() -> None:
    raw = msgspec.json.encode(
        {"prompt": 1, "priority": 99, "timeouts": {"runSeconds": "x", "a": 1}, "zzz": 1, "yyy": 2}
    )
    assert set(wrong_paths(raw)) == {
        "$.repoUrl",
        "$.prompt",
        "$.priority",
        "$.timeouts.runSeconds",
        "$.timeouts.a",
        "$.zzz",
        "$.yyy",
    }


def test_a_wrong_word_is_quoted_only_in_part() -> None:
    with pytest.raises(WrongShape) as caught:
        decode(NewTask, body(agent={"engine": "x" * 140_000}))
    (error,) = caught.value.errors
    assert error.path == "$.agent.engine"
    assert len(error.message) == MAX_MESSAGE
    assert len(caught.value.detail) < 2 * MAX_MESSAGE


def test_a_body_of_mistakes_gets_a_bounded_answer() -> None:
    assert len(wrong_paths(body(**{f"f{i}": i for i in range(1000)}))) == MAX_ERRORS


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a":1}{',
        b'{"prompt": "\xff"}',
        b"[" * 100_000,
        b'{"x":"\n"}',
        b"\xef\xbb\xbf{}",
    ],
    ids=["empty", "cut", "two", "not utf-8", "deep", "raw line break", "byte order mark"],
)
def test_what_is_not_json_is_said_not_to_be(raw: bytes) -> None:
    with pytest.raises(WrongShape) as caught:
        decode(NewTask, raw)
    assert caught.value.code == "invalid_json"


@pytest.mark.parametrize("raw", [b"[]", b"null", b"1", b'"x"', b"1e999", b'{"prompt":1e999}'])
def test_json_that_is_no_task_is_an_invalid_request(raw: bytes) -> None:
    assert wrong_paths(raw)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), JSON, max_size=6))
def test_no_json_makes_the_decoder_fail_otherwise(fields: dict[str, object]) -> None:
    with suppress(WrongShape):
        decode(NewTask, msgspec.json.encode(fields))


@given(st.binary(max_size=60))
def test_no_bytes_make_the_decoder_fail_otherwise(raw: bytes) -> None:
    with pytest.raises(WrongShape):
        decode(NewTask, raw)


def test_a_page_says_that_there_is_no_more() -> None:
    page = Page[int](data=(1, 2), next_cursor=None)
    assert msgspec.json.encode(page) == b'{"data":[1,2],"nextCursor":null}'


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("prompt", "a\0", "Expected text without the character U+0000"),
        ("title", "a\nb", "Expected one line without control characters"),
        ("callbackUrl", "https://a b", "Expected an address without white space"),
        ("env", {"a-b": "x"}, "Wrong name: Expected ASCII letters, digits and `_`"),
        ("metadata", {"a": "\0"}, "Expected text without the character U+0000"),
    ],
)
def test_a_pattern_is_told_in_words(field: str, value: object, expected: str) -> None:
    with pytest.raises(WrongShape) as caught:
        decode(NewTask, body(**{field: value}))
    (error,) = caught.value.errors
    assert error.message.startswith(expected)


@pytest.mark.parametrize(
    ("agent", "provider"),
    [
        ({}, "openai"),
        ({"engine": "claude-code"}, "anthropic"),
        ({"engine": "claude-code", "modelProvider": "openrouter"}, "openrouter"),
        ({"engine": "codex"}, "openai"),
        ({"engine": "opencode", "modelProvider": "google"}, "google"),
    ],
)
def test_the_provider_of_a_model_follows_the_engine(agent: dict[str, str], provider: str) -> None:
    assert msgspec.convert(agent, AgentSpec).provider == provider
