"""The part of a conversation that is sent."""

from snapshot.runner.agent import history
from snapshot.runner.agent.chat import Message
from snapshot.runner.agent.history import NOTE, PROMPT, Window, shortened, size, view

OUTPUT = "x" * 1000


def conversation(turns: int, *, calls: int = 1) -> list[Message]:
    """A conversation; each call has a long result."""
    messages: list[Message] = [
        {"role": "system", "content": "Be careful."},
        {"role": "user", "content": "Do it."},
    ]
    for turn in range(turns):
        ids = [f"call_{turn}_{call}" for call in range(calls)]
        messages.append(
            {"role": "assistant", "content": "", "tool_calls": [{"id": i} for i in ids]}
        )
        messages += [{"role": "tool", "tool_call_id": i, "content": OUTPUT} for i in ids]
    return messages


def open_calls(messages: list[Message]) -> set[object]:
    """Calls without a result, and results without a call."""
    made = {
        call["id"]
        for message in messages
        for call in (message.get("tool_calls") or [])  # type: ignore[attr-defined]
    }
    return made ^ {m["tool_call_id"] for m in messages if m["role"] == "tool"}


def test_everything_is_sent_while_it_fits() -> None:
    messages = conversation(5)
    assert view(messages, Window()) == messages


def test_the_oldest_observations_go_first_and_the_newest_stay() -> None:
    messages = conversation(10)
    sent = view(messages, shortened(messages, Window(), 8000))
    assert len(sent) == len(messages)
    contents = [message["content"] for message in sent if message["role"] == "tool"]
    assert contents == [NOTE] * 4 + [OUTPUT] * 6
    assert sent[:2] == messages[:2]


def test_no_more_is_left_out_than_has_to_be() -> None:
    messages = conversation(10)
    sent = view(messages, shortened(messages, Window(), size(messages) - 1))
    assert [message["content"] for message in sent].count(NOTE) == 1


def test_whole_turns_go_when_notes_are_not_enough() -> None:
    messages = conversation(10, calls=2)
    sent = view(messages, shortened(messages, Window(), 5000))
    assert size(sent) <= 5000
    assert not open_calls(sent), "each call has its result"
    assert sent[:2] == messages[:2]
    assert sent[2]["role"] == "user", "a note stands where turns are missing"
    assert sent[-1] == messages[-1]


def test_what_cannot_be_shortened_stays() -> None:
    messages = conversation(2)
    window = shortened(messages, Window(), 10)
    assert view(messages, window) == messages
    assert history.size(messages) > 10


def test_what_is_left_out_stays_left_out() -> None:
    messages = conversation(10)
    window = shortened(messages, Window(), 6000)
    longer = [*messages, *conversation(3)[2:]]
    before, after = view(messages, window), view(longer, window)
    assert after[: len(before)] == before, "the provider's cache of the beginning holds"
    smaller = shortened(longer, window, 4000)
    assert (smaller.noted, smaller.begins) >= (window.noted, window.begins)


def test_the_newest_prompt_stays_when_its_turn_goes() -> None:
    prompts: list[Message] = [
        {"role": "user", "content": words, "extra": {PROMPT: True}} for words in ("Once.", "Twice.")
    ]
    later = conversation(10)[2:]
    messages = [*conversation(2), prompts[0], *later, prompts[1], *later]
    sent = view(messages, shortened(messages, Window(), 5000))
    assert size(sent) <= 5000
    assert [prompt in sent for prompt in prompts] == [False, True]
    assert not open_calls(sent)
