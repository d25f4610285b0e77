"""Reading an agent's spool."""

import json
import os
from pathlib import Path

import pytest

from launcher.providers import spool
from launcher.providers.local.directory import read_piece


def line(name: str, body: str = "e30=") -> bytes:
    fields = {"id": name, "timestamp": 1, "signature": "v1,x", "body": body}
    return json.dumps(fields).encode() + b"\n"


def write(directory: Path, *lines: bytes) -> int:
    path = directory / "spool.jsonl"
    path.write_bytes(b"".join(lines))
    return path.stat().st_size


def test_a_sandbox_without_a_spool_has_no_lines(tmp_path: Path) -> None:
    piece = read_piece(tmp_path, 5)
    assert (piece.lines, piece.offset, piece.has_more) == ((), 5, False)


def test_a_spool_is_read_in_pieces_of_whole_lines(tmp_path: Path) -> None:
    size = write(tmp_path, *(line(f"w{n}") for n in range(10)))
    names: list[str] = []
    offset, has_more = 0, True
    while has_more:
        piece = read_piece(tmp_path, offset, limit=size // 3)
        names += [each.id for each in piece.lines]
        offset, has_more = piece.offset, piece.has_more
        assert len(piece.lines) <= 4
    assert names == [f"w{n}" for n in range(10)]
    assert offset == size


def test_what_the_agent_saw_acknowledged_is_not_read_again(tmp_path: Path) -> None:
    write(tmp_path, line("old"), line("new"))
    (tmp_path / "spool.acknowledged").write_text(f"{len(line('old'))}\n")
    assert [each.id for each in read_piece(tmp_path, 0).lines] == ["new"]


def test_what_the_gateway_has_taken_is_not_read_again(tmp_path: Path) -> None:
    size = write(tmp_path, line("old"))
    (tmp_path / "spool.acknowledged").write_text("rubbish")
    assert read_piece(tmp_path, size).lines == ()


def test_a_torn_last_line_waits_for_its_end(tmp_path: Path) -> None:
    write(tmp_path, line("whole"), line("torn")[:-5])
    piece = read_piece(tmp_path, 0)
    assert [each.id for each in piece.lines] == ["whole"]
    assert piece.offset == len(line("whole"))
    assert not piece.has_more


def test_lines_that_are_no_webhooks_do_not_hold_back_the_others(tmp_path: Path) -> None:
    size = write(tmp_path, b"\xff\n", b"{}\n", line("bad", body="***"), line(""), line("good"))
    piece = read_piece(tmp_path, 0)
    assert [each.id for each in piece.lines] == ["good"]
    assert (piece.skipped, piece.offset) == (4, size)


def test_a_line_over_a_pieces_size_goes_alone(tmp_path: Path) -> None:
    size = write(tmp_path, line("small"), line("big", body="AAAA" * 200), line("next"))
    pieces = [read_piece(tmp_path, 0, limit=300)]
    while pieces[-1].has_more:
        pieces.append(read_piece(tmp_path, pieces[-1].offset, limit=300))
    assert [[each.id for each in piece.lines] for piece in pieces] == [["small"], ["big"], ["next"]]
    assert pieces[-1].offset == size


def test_a_line_that_fits_no_report_is_skipped(tmp_path: Path) -> None:
    write(tmp_path, line("huge", body="A" * (spool.LINE_BYTES + 4)), line("good"))
    piece = read_piece(tmp_path, 0)
    assert [each.id for each in piece.lines] == ["good"]
    assert piece.skipped == 1


def test_a_pipe_in_the_spools_place_does_not_hang_the_launcher(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "spool.jsonl")
    assert read_piece(tmp_path, 0).lines == ()


@pytest.mark.parametrize("offset", [0, 10_000])
def test_a_number_past_the_end_hides_nothing(tmp_path: Path, offset: int) -> None:
    write(tmp_path, line("w1"))
    (tmp_path / "spool.acknowledged").write_text("99999")
    assert [each.id for each in read_piece(tmp_path, offset).lines] == ["w1"]


def test_a_spool_that_its_agent_has_closed_is_read(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    write(directory, line("w1"))
    (directory / "spool.jsonl").chmod(0)
    directory.chmod(0)
    assert [each.id for each in read_piece(directory, 0).lines] == ["w1"]
    assert directory.stat().st_mode & 0o777 == 0o700
