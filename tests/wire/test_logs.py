"""Log lines: one form for the gateway and the launcher, whoever speaks, and no secret in any."""

import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import pytest

Line = dict[str, Any]

SPEAK = """
import logging, sys, structlog
from gateway.wire.logs import open_logs
open_logs(sys.argv[1])
log = structlog.get_logger()
log.info("request", status=200)
log.bind(job="job_1").info("job", outcome="done")
log.bind(job="job_2").warning("job", outcome="failed")
log.debug("never")
logging.getLogger("library").warning("said %s", "so")
def breaks(secret):
    raise ValueError("broken")
try:
    breaks("hidden" + "-key")
except ValueError as error:
    fault = error
log.error("job", exc_info=fault)
"""


SPEAK_IN_ONE_TURN = """
import asyncio, os, structlog
from gateway.wire.logs import open_logs
open_logs("json")
log = structlog.get_logger()
async def turn():
    log.info("first")
    log.info("second")
    os.write(2, b'{"event": "not yet"}\\n')
    await asyncio.sleep(0)
    log.info("third")
    log.warning("fourth")
asyncio.run(turn())
"""


@cache
def lines(form: str, program: str = SPEAK) -> Sequence[str]:
    """The log of a separate process, since the form is chosen once per process."""
    command = [sys.executable, "-c", program, form]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_line_of_json_has_its_moment_its_level_and_what_was_bound() -> None:
    logged: list[Line] = [msgspec.json.decode(line) for line in lines("json")]
    assert all(line["timestamp"].endswith("Z") for line in logged)
    bare = [{name: line[name] for name in line if name != "timestamp"} for line in logged]
    assert bare[:4] == [
        {"level": "info", "event": "request", "status": 200},
        {"level": "info", "event": "job", "job": "job_1", "outcome": "done"},
        {"level": "warning", "event": "job", "job": "job_2", "outcome": "failed"},
        {"level": "warning", "event": "said so"},
    ]
    assert bare[4]["exception"].endswith("ValueError: broken")
    assert len(bare) == 5


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_where_and_no_variable(form: str) -> None:
    whole = "\n".join(lines(form))
    assert "in breaks" in whole
    assert "ValueError: broken" in whole
    assert "hidden-key" not in whole


def test_lines_of_one_turn_of_the_event_loop_are_written_behind_it_in_their_order() -> None:
    logged = [msgspec.json.decode(line)["event"] for line in lines("json", SPEAK_IN_ONE_TURN)]
    assert logged == ["not yet", "first", "second", "third", "fourth"]
