"""I-JSON: what readers of JSON do not read alike is refused, and its path is named."""

import json

import pytest

from gateway.wire.decode import WrongShape
from gateway.wire.ijson import check, is_suspect

FINE = [
    b"{}",
    b'{"a": [0, -0, 1, 1.5, -2e3, 1E5, 9007199254740991, -9007199254740991]}',
    b'{"a": 0.12345678901234567, "b": 1.7976931348623157e308, "c": 5e-324}',
    b'{"a": 100000000000000000000.0, "b": 0.00000000000000000000001}',
    b'{"a": {"x": 1}, "b": {"x": 2}, "c": [{"x": 1}, {"x": 2}]}',
    b'{"a" : 1, "b"\t:\n2}',
    rb'{"a": "\ud83d\ude00", "b": "\u0000", "c": "\\ud83d", "d": "9007199254740993 1e999"}',
    '{"a": "\U0001f600 \ufffd"}'.encode(),
    b'{"": 1, ":": 2, "x:": "y:"}',
    rb'{"a": "b\":", "c": ":a", ":a": 1, "y": "v"}',
    json.dumps({"chunk": "\uffff\U0010fffe", "patch": "\ufdd0", "logTail": "\ufffe"}).encode(),
]
WRONG = [
    (b'{"a": 9007199254740992}', ["$.a"]),
    (b'{"a": {"b": [1, -9007199254740992]}}', ["$.a.b[1]"]),
    (b'{"a": ' + b"9" * 5_000 + b"}", ["$.a"]),
    (b'{"a": 0.' + b"3" * 5_000 + b"}", ["$.a"]),
    (b'{"a": 3.141592653589793238462643383279}', ["$.a"]),
    (b'{"a": 1e400, "b": -1E+999}', ["$.a", "$.b"]),
    (b'{"a": 1e-400}', ["$.a"]),
    (rb'{"a": "\ud800"}', ["$.a"]),
    (rb'{"a": ["x", "\udc00\ud800"]}', ["$.a[1]"]),
    (rb'{"a": {"\uDFFF": 1}}', ["$.a"]),
    (rb'{"a": "\uffff", "b": "\ufdd0", "c": "\ud83f\udffe"}', ["$.a", "$.b", "$.c"]),
    ('{"a": "\ufffe \U0001ffff"}'.encode(), ["$.a"]),
    (b'{"a": 1, "a": 1}', ["$.a"]),
    (b'{"a": 1, "a" : 1}', ["$.a"]),
    (b'{"a": "x:y", "b": ":", "a" :1}', ["$.a"]),
    (rb'{"a": 1, "a": 1, "b": "\u003a"}', ["$.a"]),
    (b'{"a": 1, "a": 1, "b": "%s"}' % (b"x" * 20_000), ["$.a"]),
    (rb'{"a": 1, "\u0061": 1}', ["$.a"]),
    (b'{"x": {"": 1, "": 2}}', ["$.x."]),
    (b'{":a": 1, "y": "v", ":a": 2}', ["$.:a"]),
    (b'{"x": [{"b": 1}, {"b": 1, "c": 2, "b": 3}]}', ["$.x[1].b"]),
    (rb'{"chunk": "\ud800"}', ["$.chunk"]),
]


@pytest.mark.parametrize("body", FINE, ids=range(len(FINE)))
def test_what_every_reader_reads_alike_is_taken(body: bytes) -> None:
    check(body)


@pytest.mark.parametrize(("body", "paths"), WRONG, ids=range(len(WRONG)))
def test_what_they_do_not_is_refused_with_its_path(body: bytes, paths: list[str]) -> None:
    assert is_suspect(body)
    with pytest.raises(WrongShape) as wrong:
        check(body)
    assert wrong.value.code == "invalid_request"
    assert [error.path for error in wrong.value.errors] == paths


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": NaN, "b": "',
        b'"' * 1_000,
        b'{"a": "' + b'\\"' * 1_000,
        b"[" * 100_000,
        b"[" * 4_000,
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
    ],
    ids=range(9),
)
def test_what_is_no_json_is_told_by_whoever_decodes_it(body: bytes) -> None:
    assert not is_suspect(body)


def test_an_ordinary_word_is_not_looked_at_closely() -> None:
    word = {"type": "task.progress", "data": {"taskId": "t", "message": "turn 7 \u00fc", "at": 1.5}}
    assert not is_suspect(json.dumps(word, ensure_ascii=False).encode())


def test_no_more_mistakes_are_named_than_anybody_reads() -> None:
    with pytest.raises(WrongShape) as wrong:
        check(b'{"a": [' + b"9007199254740992, " * 500 + b"1]}")
    assert len(wrong.value.errors) == 50
