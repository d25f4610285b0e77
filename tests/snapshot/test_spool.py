"""Events are on disk before they are sent, and survive what happens to files."""

import json
import os
import resource
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from snapshot.runner.reporting.events import Error, Event, Failed, Heartbeat, Log, Progress, Usage
from snapshot.runner.reporting.messages import Message, MessageBuilder
from snapshot.runner.reporting.recovery import Recovered
from snapshot.runner.reporting.redaction import Redaction
from snapshot.runner.reporting.signing import Signer
from snapshot.runner.reporting.spool import Spool
from snapshot.runner.variables import Secret
from tests.snapshot.gateway_stub import SECRET

SIGNER = Signer(Secret(SECRET))
POST = MessageBuilder(
    task_id="task_1", attempt=1, signer=SIGNER, redaction=Redaction(["sk-very-secret"])
)


def is_ours(message: Message) -> bool:
    """Signed with our key."""
    return SIGNER.is_ours(message.id, message.timestamp, message.body, message.signature)


def opened(directory: Path) -> Spool:
    """The spool as a start of the runner opens it."""
    return Spool(directory, is_ours=is_ours)


def emit(spool: Spool, event: Event) -> int:
    """Spool an event; the offset after it."""
    return spool.append([POST.message(event)])[0].end


def test_a_line_holds_exactly_what_the_contract_says(tmp_path: Path) -> None:
    end = emit(opened(tmp_path), Progress(stage="clone", message="key sk-very-secret"))
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
    spool.acknowledge(emit(spool, Heartbeat()))
    end = emit(spool, Heartbeat())
    assert [entry.end for entry in opened(tmp_path).pending] == [end]


def test_a_torn_last_line_is_dropped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    emit(spool, Heartbeat())
    with (tmp_path / "spool.jsonl").open("ab") as file:
        file.write(b'{"id": "msg_torn", "time')
    again = opened(tmp_path)
    emit(again, Heartbeat())
    lines = (tmp_path / "spool.jsonl").read_bytes().splitlines()
    assert len([json.loads(line) for line in lines]) == 2


def test_lines_somebody_else_wrote_are_not_believed(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    emit(spool, Heartbeat())
    forger = MessageBuilder(
        task_id="task_1",
        attempt=1,
        signer=Signer(Secret("whsec_" + "A" * 44)),
        redaction=Redaction([]),
    )
    error = Error(stage="agent", code="x", message="x", retryable=False)
    spool.append([forger.message(Failed(error=error))])
    with (tmp_path / "spool.jsonl").open("ab") as file:
        file.write(b"garbage\n")
    again = opened(tmp_path)
    assert len(again.entries) == 1
    assert not Recovered.from_entries(again.entries).has_ended


def _in_place(spool: Path) -> None:
    """Overwrite it with as many bytes, and set its times back."""
    before = spool.stat()
    with spool.open("r+b") as file:
        file.write(b"x" * before.st_size)
    os.utime(spool, ns=(before.st_atime_ns, before.st_mtime_ns))


def _directory(spool: Path, *files: str) -> None:
    spool.unlink()
    spool.mkdir()
    for name in files:
        (spool / name).write_text("{}")


def _link(spool: Path, target: str) -> None:
    spool.unlink()
    spool.symlink_to(target)


def _fifo(spool: Path) -> None:
    spool.unlink()
    os.mkfifo(spool)


def _other(spool: Path) -> None:
    other = spool.with_name("other")
    other.write_bytes(spool.read_bytes())
    other.replace(spool)


def _linked_parent(spool: Path) -> None:
    spool.parent.rename(spool.parents[1] / "away")
    spool.parent.symlink_to(spool.parents[1] / "away")


def _file_for_parent(spool: Path) -> None:
    shutil.rmtree(spool.parent)
    spool.parent.write_text("")


HARMS: dict[str, Callable[[Path], object]] = {
    "unlink": Path.unlink,
    "truncate": lambda spool: spool.write_bytes(b""),
    "append": lambda spool: spool.write_bytes(spool.read_bytes() + b"junk"),
    "in place": _in_place,
    "replace": _other,
    "directory": _directory,
    "full directory": lambda spool: _directory(spool, "spool.jsonl", "x"),
    "link": lambda spool: _link(spool, "/etc/hostname"),
    "link to nothing": lambda spool: _link(spool, "/nonexistent"),
    "link to itself": lambda spool: _link(spool, spool.name),
    "fifo": _fifo,
    "closed": lambda spool: spool.chmod(0o000),
    "closed folder": lambda spool: spool.parent.chmod(0o000),
    "closed way": lambda spool: spool.parents[1].chmod(0o000),
    "read-only folder": lambda spool: spool.parent.chmod(0o500),
    "removed folder": lambda spool: shutil.rmtree(spool.parent),
    "removed way": lambda spool: shutil.rmtree(spool.parents[1]),
    "linked folder": _linked_parent,
    "file for the folder": _file_for_parent,
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_spool_that_is_harmed_is_written_again(tmp_path: Path, harm: str) -> None:
    directory = tmp_path / "way" / "state"
    directory.mkdir(parents=True)
    spool = opened(directory)
    file = directory / "spool.jsonl"
    emit(spool, Heartbeat())
    HARMS[harm](file)
    end = emit(spool, Heartbeat())
    assert not directory.is_symlink()
    assert stat.S_ISREG(file.lstat().st_mode)
    assert (file.stat().st_size, file.stat().st_mode & 0o777) == (end, 0o600)
    assert len(opened(directory).entries) == 2


@pytest.mark.parametrize("harm", ["directory", "full directory", "link", "fifo", "closed"])
def test_a_later_start_takes_the_place_of_what_stands_there(tmp_path: Path, harm: str) -> None:
    emit(opened(tmp_path), Heartbeat())
    HARMS[harm](tmp_path / "spool.jsonl")
    emit(opened(tmp_path), Heartbeat())
    assert opened(tmp_path).entries


def test_a_note_of_what_was_acknowledged_is_ours_alone(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.acknowledge(emit(spool, Heartbeat()))
    (tmp_path / "spool.acknowledged").write_text("999999")
    emit(spool, Heartbeat())
    assert len(opened(tmp_path).pending) == 1


def test_what_a_full_disk_refused_is_written_once_there_is_room(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    emit(spool, Heartbeat())
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limit[1]))
    try:
        end = emit(spool, Progress(stage="agent", message="x" * 500))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    spool.flush()
    assert (tmp_path / "spool.jsonl").stat().st_size == end
    assert len(opened(tmp_path).entries) == 2


def test_what_an_earlier_start_did_is_read_from_what_it_reported(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    assert Recovered.from_entries(spool.entries) == Recovered()
    usage = Usage(input_tokens=5, output_tokens=6, cost_usd=0.5, turns=7)
    for event in (usage, Log(offset=0, chunk="äb"), Log(offset=3, chunk="c")):
        emit(spool, event)
    recovered = Recovered.from_entries(opened(tmp_path).entries)
    assert recovered.usage == usage
    assert recovered.log_bytes == 4
    assert not recovered.has_ended
