"""A program's complaint keeps its reason, its beginning and its end."""

import pytest

from snapshot.runner.text import summarize_stderr

NOISE = "".join(f"remote: line {number} of the guide\n" for number in range(500))


@pytest.mark.parametrize("where", ["beginning", "middle", "end"])
def test_the_reason_comes_first_wherever_it_stood(where: str) -> None:
    reason = "remote: error: GH013: Repository rule violations found for refs/heads/x.\n"
    texts = {
        "beginning": reason + NOISE,
        "middle": NOISE + reason + NOISE,
        "end": NOISE + reason,
    }
    told = summarize_stderr(texts[where], 2_000)
    assert told.startswith(reason.strip())
    assert len(told) <= 2_100


def test_without_a_sign_of_a_reason_both_ends_are_kept() -> None:
    told = summarize_stderr(f"first words\n{NOISE}last words\n", 1_000)
    assert told.startswith("first words")
    assert told.endswith("last words")


def test_progress_and_colours_are_no_words() -> None:
    text = "remote: \nremote: Counting: 1%\rremote: Counting: 100%\x1b[K\n\x1b[31mfatal: no\x1b[m\n"
    assert summarize_stderr(text, 2_000) == "remote: Counting: 100%\nfatal: no"
