"""Words are stored without secrets and without what steers a terminal; most are not touched."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.decode import WrongShape
from gateway.wire.scrubbing import contains_secret, scrub
from tests.wire.secrets import BY_KIND

TOKEN = BY_KIND["github_token"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.just(TOKEN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _scrubbed(kind: str, **fields: object) -> dict[str, object]:
    data, _ = scrub(kind, msgspec.json.encode(fields))
    clean: dict[str, object] = msgspec.json.decode(data)
    return clean


def test_a_usual_word_is_stored_byte_for_byte() -> None:
    data = b'{"taskId": "task_01","attempt":1,  "stage":"agent","message":"turn 7\\nof 60"}'
    assert scrub("task.progress", data) == (data, ())


def test_secrets_go_wherever_they_stand() -> None:
    clean = _scrubbed("task.progress", message=TOKEN, deep=[{"a": f"x {TOKEN}"}], **{TOKEN: 1})
    assert TOKEN not in str(clean)
    assert clean["message"] == "[redacted:github_token]"


def test_an_escape_hides_no_secret() -> None:
    hidden = "".join(f"\\u{ord(character):04x}" for character in TOKEN)
    data, _ = scrub("task.progress", f'{{"message":"{hidden}"}}'.encode())
    assert msgspec.json.decode(data) == {"message": "[redacted:github_token]"}


def test_control_characters_go_from_what_is_shown() -> None:
    clean = _scrubbed(
        "task.progress", stage="a\x00b", message="\x1b[31mred\x1b[0m\x07\n\tok\x9b2J\x7f"
    )
    assert clean == {"stage": "ab", "message": "red\n\tok2J"}


def test_what_a_program_wrote_keeps_its_colours() -> None:
    assert _scrubbed("task.log", offset=0, chunk="\x1b[31mred") == {
        "offset": 0,
        "chunk": "\x1b[31mred",
    }


def test_a_piece_of_a_log_keeps_its_length() -> None:
    chunk = f"token {TOKEN}\nnext"
    clean = _scrubbed("task.log", offset=7, chunk=chunk)
    assert len(str(clean["chunk"])) == len(chunk)
    assert TOKEN not in str(clean["chunk"])


@pytest.mark.parametrize(
    ("kind", "field"), [("task.patch", "chunk"), ("task.completed", "patch")], ids=str
)
def test_a_patch_that_was_touched_says_so(kind: str, field: str) -> None:
    data = msgspec.json.encode({field: f" {TOKEN}\n+{TOKEN}\n"})
    stored, warnings = scrub(kind, data)
    kept, lost = str(msgspec.json.decode(stored)[field]).splitlines()
    assert (kept, lost.startswith("+[redacted:github_token]")) == (f" {TOKEN}", True)
    assert warnings == (f"$.data.{field}: secrets in added lines were redacted",)


def test_what_the_attempt_was_handed_goes_in_any_form() -> None:
    data, _ = scrub("task.progress", b'{"message":"key is abc123"}', (b"abc123",))
    assert msgspec.json.decode(data) == {"message": "key is [redacted:attempt_secret]"}


def test_a_number_that_nobody_can_hold_is_refused_by_name() -> None:
    with pytest.raises(WrongShape, match="out of range"):
        scrub("task.progress", b'{"message":"a@b","n":1e999}')


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_what_was_scrubbed_holds_no_secret(fields: dict[str, object]) -> None:
    data, _ = scrub("task.progress", msgspec.json.encode(fields))
    assert not contains_secret("task.progress", data)
    assert scrub("task.progress", data) == (data, ())
