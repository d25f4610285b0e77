"""The work that a text or a body can make: counted in steps and looks, not in seconds."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire import redaction
from gateway.wire.agent_body import decode as decode_event
from gateway.wire.agent_body import read_target
from gateway.wire.decode import (
    MAX_CONTAINERS,
    MAX_DEPTH,
    MAX_ERRORS,
    MAX_FIELDS,
    MAX_STEPS,
    WrongShape,
    check_depth,
    decode,
    mistakes_in,
)
from gateway.wire.redaction import FORMS, Form, has_trace, redact, redact_patch
from gateway.wire.tasks import NewTask

RIGHT: Final[dict[str, Any]] = {"repoUrl": "https://github.com/acme/widgets", "prompt": "x"}
BAIT: Final = (
    "+@\n",
    "://a:b@",
    "://a:",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "npm_" + "a" * 36,
    "ghp_" + "a" * 20 + " ",
    "A_KEY=" + "b" * 8 + " ",
    "Authorization: Bearer abcdefgh ",
    "eyJaaaaaaaa.",
    "/v1/hooks/a/",
    "sk-",
)


class Counted:
    """Steps that are counted."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self.taken += 1
        return self.taken


class CountedForm:
    """A pattern that counts how much text it is made to look through."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern
        self.characters = 0
        self.looks = 0

    def sub(self, replacement: Any, text: str) -> str:
        self.looks += 1
        self.characters += len(text)
        return self.pattern.sub(replacement, text)


def wrong(size: int) -> dict[str, Any]:
    """A task of which this many things are wrong."""
    return (
        RIGHT
        | {
            "validate": [[1] * 10] * (size // 10),
            "env": {f"A{number}": number for number in range(size)},
            "metadata": {f"m{number}": None for number in range(size)},
        }
        | {f"unknown{number}": 1 for number in range(size)}
    )


@given(st.integers(60, 2_000))
def test_whoever_sends_many_mistakes_is_told_of_fifty_for_the_work_of_fifty(size: int) -> None:
    steps = Counted()
    found = mistakes_in(NewTask, wrong(size), most=MAX_ERRORS, steps=steps)
    assert len(found) == MAX_ERRORS
    assert steps.taken <= 3 * MAX_ERRORS


@settings(max_examples=10)  # each of them is a large body
@given(st.integers(MAX_STEPS, 3 * MAX_STEPS))
def test_a_mistake_behind_many_right_values_is_looked_for_so_far_and_no_further(size: int) -> None:
    value = RIGHT | {"env": {f"A{number}": "" for number in range(size)} | {"Z": 1}}
    asked: list[int] = []
    assert mistakes_in(NewTask, value, steps=_limited(asked)) == []
    assert len(asked) <= MAX_STEPS + 1
    with pytest.raises(WrongShape) as refused:
        decode(NewTask, msgspec.json.encode(value))
    assert refused.value.code == "invalid_request"
    assert refused.value.errors[0].path.startswith("$.env")


def _limited(asked: list[int]) -> Iterator[int]:
    for number in range(MAX_STEPS):
        asked.append(number)
        yield number


@pytest.mark.parametrize(
    "make",
    [
        lambda: RIGHT | {"validate": [[1] * 100] * 5_000},
        lambda: RIGHT | {"validate": [["a"] * 99 + [1]] * 3_000},
        lambda: RIGHT | {"env": {f"A{number}": 1 for number in range(100_000)}},
        lambda: RIGHT | {"env": {f"{number}": "" for number in range(100_000)}},
        lambda: RIGHT | {"metadata": {f"A{number}": 1 for number in range(100_000)}},
        lambda: {f"a{number}": 1 for number in range(100_000)},
        lambda: RIGHT | {"validate": [""] * 200_000},
        lambda: RIGHT | {"validate": [1e5] * 200_000},
    ],
    ids=["lists", "ends of lists", "env", "names", "metadata", "unknown", "texts", "numbers"],
)
def test_of_a_body_of_thousands_of_mistakes_the_first_fifty_are_named(
    make: Callable[[], object],
) -> None:
    with pytest.raises(WrongShape) as refused:
        decode(NewTask, msgspec.json.encode(make()))
    assert refused.value.code == "invalid_request"
    assert len(refused.value.errors) in {MAX_ERRORS, MAX_ERRORS - 1}


def test_thousands_of_texts_in_a_list_are_counted_before_they_are_matched_with_a_pattern() -> None:
    """A match holds the GIL as a decoder does: 350,000 of them stop the event loop for 0.2 s."""
    body = msgspec.json.encode(RIGHT | {"validate": [["a"] * 350_000]})

    def refuse() -> None:
        with pytest.raises(WrongShape) as refused:
            decode(NewTask, body)
        assert [error.path for error in refused.value.errors] == ["$.validate[0]"]

    reading = min(_seconds(lambda: msgspec.json.decode(body)) for _ in range(3))
    assert min(_seconds(refuse) for _ in range(3)) < 5 * reading


def test_a_large_event_is_read_however_many_quotes_are_in_its_texts() -> None:
    fields = {"branchName": "b", "summary": "s", "patch": '"' * 200_000}
    data = {"taskId": "task_1", "attempt": 1, **fields}
    event = decode_event(msgspec.json.encode({"type": "task.completed", "data": data}))
    assert msgspec.json.decode(event.data) == data


def test_an_event_with_thousands_of_right_values_too_many_is_refused() -> None:
    receipts = [{"command": "x", "status": "passed"}] * 9_000
    data = {"taskId": "task_1", "attempt": 1, "branchName": "b", "summary": "s"}
    event = {"type": "task.completed", "data": data | {"validation": receipts}}
    with pytest.raises(WrongShape) as refused:
        decode_event(msgspec.json.encode(event))
    assert "of length <= 100" in refused.value.errors[0].message


def _seconds(work: Callable[[], object]) -> float:
    """Of this thread's own work, however busy the machine is."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


@pytest.mark.parametrize("name", ["env", "metadata"])
def test_too_many_right_entries_are_too_many(name: str) -> None:
    entries = {f"A{number}": "" for number in range(MAX_FIELDS + 1)}
    with pytest.raises(WrongShape) as refused:
        decode(NewTask, msgspec.json.encode(RIGHT | {name: entries, "promt": 1}))
    told = {error.path: error.message for error in refused.value.errors}
    assert told == {
        f"$.{name}": f"Expected `object` of length <= {200 if name == 'env' else 50}",
        "$.promt": "Object contains unknown field `promt`",
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[" * 200_000, "invalid_json"),
        (b"[" * 100_000 + b"]" * 100_000, "invalid_json"),
        (b"[" + b"{}," * MAX_CONTAINERS + b"{}]", "invalid_request"),
        (b'{"a":[' + b"[]," * MAX_CONTAINERS + b"[]]}", "invalid_request"),
    ],
    ids=["open", "deep", "objects", "lists"],
)
def test_more_lists_and_objects_than_anybody_means_are_not_made(body: bytes, code: str) -> None:
    with pytest.raises(WrongShape) as refused:
        decode(NewTask, body)
    assert refused.value.code == code


def test_brackets_in_texts_are_no_lists() -> None:
    prompt = '[{"\\' * 40_000
    assert decode(NewTask, msgspec.json.encode(RIGHT | {"prompt": prompt})).prompt == prompt


JSON: Final = st.recursive(
    st.text(st.sampled_from('[]{}",:\\a')) | st.none(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=60,
)


@given(JSON, st.integers(0, 40))
def test_what_is_too_deep_is_just_what_a_parser_finds_too_deep(value: object, more: int) -> None:
    for _ in range(more):
        value = [value, "]]"]
    body = json.dumps(value).encode()
    if depth_of(value) > MAX_DEPTH:
        with pytest.raises(WrongShape):
            check_depth(body)
    else:
        check_depth(body)


def depth_of(value: object) -> int:
    """Counted one by one."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def test_the_depth_of_a_body_full_of_brackets_is_known_before_it_is_authentic() -> None:
    data = {"taskId": "task_1", "attempt": 1, "x": [[[]]] * 15_000}
    assert read_target(msgspec.json.encode({"type": "t", "data": data})) == ("task_1", 1)


@pytest.mark.parametrize("look", [redact, redact_patch])
@pytest.mark.parametrize("bait", BAIT)
def test_a_text_twice_as_long_is_looked_through_as_often(
    look: Any, bait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, twice = (_looked(look, "+" + bait * times, monkeypatch) for times in (400, 800))
    assert once[0] == twice[0] <= len(FORMS)
    assert twice[1] <= 2 * once[1] + 1


def _looked(look: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """The number of pattern searches, and of the characters they read."""
    counted = {form.kind: CountedForm(form.pattern) for form in FORMS}
    forms = tuple(_Seen(form, counted[form.kind]) for form in FORMS)
    with monkeypatch.context() as patched:
        patched.setattr(redaction, "FORMS", forms)
        patched.setattr(redaction, "_CERTAIN", tuple(one for one in forms if one.is_certain))
        look(text)
    return sum(one.looks for one in counted.values()), sum(
        one.characters for one in counted.values()
    )


class _Seen:
    """A form whose pattern is counted."""

    def __init__(self, form: Form, pattern: CountedForm) -> None:
        self.kind, self.markers, self.is_certain = form.kind, form.markers, form.is_certain
        self.pattern = pattern


@pytest.mark.parametrize("bait", BAIT)
def test_secrets_without_a_gap_between_them_are_taken_out_at_once(bait: str) -> None:
    text = redact(bait * 200)
    assert redact(text) == text


@given(st.integers(0, 3 * 65_536))
def test_a_trace_is_found_wherever_it_stands(at: int) -> None:
    assert has_trace(b"a" * at + b" ghp_" + b"a" * 20)


def test_only_added_lines_of_a_long_patch_change() -> None:
    secret = "ghp_" + "a" * 36
    lines = [f" {secret}", f"+{secret}", f"-{secret}", f"+++ {secret}", f"+x {secret} {secret}"]
    after = redact_patch("\n".join(lines * 1_000)).split("\n")
    mark = "[redacted:github_token]"
    wanted = [lines[0], f"+{mark}", lines[2], lines[3], f"+x {mark} {mark}"]
    assert after == wanted * 1_000
