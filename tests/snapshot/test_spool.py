"""What was said is on disk before it is sent, and survives what happens to files."""

import json
from pathlib import Path

import pytest

from snapshot.runner.post import Post
from snapshot.runner.recovery import Recovered
from snapshot.runner.redaction import Redaction
from snapshot.runner.secret import Secret
from snapshot.runner.signing import Signer
from snapshot.runner.spool import Message, Spool
from snapshot.runner.words import Error, Failed, Heartbeat, Log, Progress, Usage, Word
from tests.snapshot.gateway_stub import SECRET

SIGNER = Signer(Secret(SECRET))
POST = Post(task_id="task_1", attempt=1, signer=SIGNER, redaction=Redaction(["sk-very-secret"]))


def is_ours(message: Message) -> bool:
    """Signed with our key."""
    return SIGNER.is_ours(message.id, message.timestamp, message.body, message.signature)


def opened(directory: Path) -> Spool:
    """The spool as a start of the runner opens it."""
    return Spool(directory, is_ours=is_ours)


def say(spool: Spool, word: Word) -> int:
    """Spool a word; the offset after it."""
    return spool.append(POST.message(word)).end


def test_a_line_holds_exactly_what_the_contract_says(tmp_path: Path) -> None:
    end = say(opened(tmp_path), Progress(stage="clone", message="key sk-very-secret"))
    written = (tmp_path / "spool.jsonl").read_bytes()
    assert len(written) == end
    line = json.loads(written)
    assert sorted(line) == ["body", "id", "signature", "timestamp"]
    (entry,) = opened(tmp_path).entries
    body = json.loads(entry.message.body)
    assert body["type"] == "task.progress"
    assert body["data"] == {
        "taskId": "task_1",
        "attempt": 1,
        "stage": "clone",
        "message": "key [redacted]",
    }


def test_a_later_start_sends_what_was_not_acknowledged(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.acknowledge(say(spool, Heartbeat()))
    end = say(spool, Heartbeat())
    assert [entry.end for entry in opened(tmp_path).pending] == [end]


def test_a_torn_last_line_is_dropped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    say(spool, Heartbeat())
    with (tmp_path / "spool.jsonl").open("ab") as file:
        file.write(b'{"id": "msg_torn", "time')
    again = opened(tmp_path)
    say(again, Heartbeat())
    lines = (tmp_path / "spool.jsonl").read_bytes().splitlines()
    assert len([json.loads(line) for line in lines]) == 2


def test_lines_somebody_else_wrote_are_not_believed(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    say(spool, Heartbeat())
    forger = Post(
        task_id="task_1",
        attempt=1,
        signer=Signer(Secret("whsec_" + "A" * 44)),
        redaction=Redaction([]),
    )
    error = Error(stage="agent", code="x", message="x", retryable=False)
    spool.append(forger.message(Failed(error=error)))
    with (tmp_path / "spool.jsonl").open("ab") as file:
        file.write(b"garbage\n")
    again = opened(tmp_path)
    assert len(again.entries) == 1
    assert not Recovered.from_entries(again.entries).has_ended


@pytest.mark.parametrize("harm", ["unlink", "truncate", "append", "replace"])
def test_a_spool_that_is_harmed_is_written_again(tmp_path: Path, harm: str) -> None:
    spool = opened(tmp_path)
    file = tmp_path / "spool.jsonl"
    say(spool, Heartbeat())
    if harm == "unlink":
        file.unlink()
    elif harm == "truncate":
        file.write_bytes(b"")
    elif harm == "append":
        file.write_bytes(file.read_bytes() + b"junk")
    else:
        (tmp_path / "other").write_bytes(file.read_bytes())
        (tmp_path / "other").replace(file)
    end = say(spool, Heartbeat())
    assert file.stat().st_size == end
    assert len(opened(tmp_path).entries) == 2


def test_what_an_earlier_start_did_is_read_from_what_it_said(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    assert Recovered.from_entries(spool.entries) == Recovered()
    usage = Usage(input_tokens=5, output_tokens=6, cost_usd=0.5, turns=7)
    for word in (usage, Log(offset=0, chunk="äb"), Log(offset=3, chunk="c")):
        say(spool, word)
    recovered = Recovered.from_entries(opened(tmp_path).entries)
    assert recovered.usage == usage
    assert recovered.log_bytes == 4
    assert not recovered.has_ended
