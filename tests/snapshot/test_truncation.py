"""A log is cut so that each secret in it is found, whole, by whoever looks at a piece."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.redaction import redact
from snapshot.runner.reporting.events import CHUNK_BYTES
from snapshot.runner.reporting.events import Log as LogEvent
from snapshot.runner.reporting.log import FLUSH_CHARACTERS, Log, chunks
from snapshot.runner.reporting.redaction import REDACTED, Redaction
from snapshot.runner.truncation import KEY_CHARACTERS, end_of_piece, first_of, last_of

TOKEN: Final = "ghp_" + "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA"
KEY: Final = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join(f"MIIEpQIBAAKCAQEA{line:048d}" for line in range(40))
    + "\n-----END RSA PRIVATE KEY-----\n"
)
SERVICE: Final = '{\n  "client": "robot",\n  "pass": "correct horse battery staple"\n}'
"""A known secret of several lines that has no form of its own."""
TIGHT: Final = range(-len(TOKEN) - 2, 3)


def sent(*pieces: str, secrets: tuple[str, ...] = ()) -> list[str]:
    """The chunks of a log that was written in these pieces."""
    events: list[LogEvent] = []
    log = Log(events.append, Redaction(secrets))
    for piece in pieces:
        log.write(piece)
    log.flush()
    ends = [word.offset + len(word.chunk.encode()) for word in events]
    assert [word.offset for word in events] == [0, *ends[:-1]]
    return [word.chunk for word in events]


def kept(parts: list[str]) -> str:
    """The pieces as the gateway keeps them: it sees one at a time."""
    return "".join(redact(part, keeps_length=True) for part in parts)


@pytest.mark.parametrize("secret", [TOKEN, KEY, SERVICE], ids=["token", "key", "known"])
@pytest.mark.parametrize("line", ["x" * 79 + "\n", "word " * 16], ids=["lines", "one line"])
@pytest.mark.parametrize("step", [1, 700, 9_000], ids=["by letters", "by pieces", "by pages"])
def test_no_secret_is_in_two_pieces_of_a_stream(secret: str, line: str, step: int) -> None:
    step_of_place = len(secret) // 9
    for before in range(FLUSH_CHARACTERS - len(secret) - 80, FLUSH_CHARACTERS, step_of_place):
        text = (line * 1_000)[:before] + line[-1] + secret + line * 50
        # By letters only near the border: a piece for each of the others takes its time.
        start = before - 100 if step == 1 else 0
        pieces = [text[:start], *(text[at : at + step] for at in range(start, len(text), step))]
        chunked = sent(*pieces, secrets=(SERVICE,))
        shown = kept(chunked)
        assert not any(part in shown for part in secret.split("\n") if len(part) > 20)
        assert len(chunked) > 1
        if secret is not SERVICE:
            assert "".join(chunked) == text
        else:
            assert shown == text.replace(SERVICE, REDACTED)


def test_a_known_secret_is_found_in_a_line_without_end() -> None:
    for at in TIGHT:
        text = "x" * (FLUSH_CHARACTERS + at) + TOKEN + "x" * FLUSH_CHARACTERS
        pieces = [text[:FLUSH_CHARACTERS], text[FLUSH_CHARACTERS:]]
        shown = "".join(sent(*pieces, secrets=(TOKEN,)))
        assert shown == text.replace(TOKEN, REDACTED)


@pytest.mark.parametrize("line", ["a log\n", "words "], ids=["lines", "one line"])
def test_no_secret_is_in_two_chunks_of_what_is_sent_at_once(line: str) -> None:
    for secret in (TOKEN, KEY):
        for at in range(CHUNK_BYTES - len(secret) - 80, CHUNK_BYTES + 3, len(secret) // 9):
            text = (line * 12_000)[:at] + line[-1] + secret + line * 99
            parts = chunks(text)
            assert "".join(parts) == text
            assert len(parts) == 2
            assert not any(part in kept(parts) for part in secret.split("\n") if len(part) > 20)


@given(
    st.text(st.sampled_from("ab \n\"'=ü\U0001f511-"), max_size=300),
    st.lists(st.sampled_from([TOKEN, "-----BEGIN ", "-----END ", KEY[:90]]), max_size=3),
    st.integers(1, 200),
)
def test_a_piece_is_never_empty_nor_too_long(text: str, more: list[str], most: int) -> None:
    rest = text + "".join(more)
    while len(rest) > most:
        end = end_of_piece(rest, most)
        assert 1 <= end <= most
        rest = rest[end:]


def test_a_key_that_never_ends_holds_nothing_up_for_ever() -> None:
    text = "-----BEGIN RSA PRIVATE KEY-----\n" + "and then a log of another sort\n" * 5_000
    waiting, events = 0, []
    log = Log(lambda word: events.append(word.chunk), Redaction([]))
    for line in text.splitlines(keepends=True):
        log.write(line)
        waiting = max(waiting, text.index(line) + 1 - len("".join(events)))
    assert waiting <= FLUSH_CHARACTERS + KEY_CHARACTERS
    log.flush()
    assert "".join(events) == text


@pytest.mark.parametrize("most", [60, 100, 400])
def test_the_end_of_a_text_begins_with_a_whole_line_or_word(most: int) -> None:
    for filling in ("ok\n", "fine "):
        for after in range(most + 80):
            text = filling * 99 + TOKEN + filling[-1] + (filling * 99)[:after]
            shown = last_of(text, most)
            assert text.endswith(shown)
            assert len(shown) <= most
            assert TOKEN in shown or not any(
                TOKEN[at : at + 8] in shown for at in range(len(TOKEN) - 8)
            )


def test_the_beginning_of_a_text_ends_with_a_whole_word_and_in_no_key() -> None:
    for secret in (TOKEN, KEY):
        for most in range(20, len(secret) + 40):
            shown = first_of(f"it events: {secret} and more", most)
            assert len(shown) <= most
            assert secret in shown or secret[:8] not in shown or secret is KEY
            assert "MIIE" not in redact(shown)
    assert first_of("one two", 7) == "one two"


def test_the_end_of_a_text_holds_no_end_of_a_key() -> None:
    for most in range(100, 3_000, 97):
        shown = last_of("begin\n" * 50 + KEY + "end\n" * 9, most)
        assert "MIIE" not in redact(shown)


def test_a_short_text_is_its_own_end() -> None:
    assert last_of("one two", 4_000) == "one two"
    assert last_of("", 10) == ""


def test_the_tail_of_a_log_is_without_secrets() -> None:
    for after in range(3_900, 4_060):
        log = Log(lambda word: None, Redaction([SERVICE]))
        log.write("x" * 500 + " " + SERVICE + " " * after)
        assert "horse" not in log.tail
