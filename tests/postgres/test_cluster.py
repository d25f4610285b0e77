"""The server of the tests, and its end."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import psycopg
import pytest

from tests.forks.programs import ADDRESS, ROOT
from tests.postgres.cluster import MISSING, programs

KILLED_RUN: Final = """
import os, signal, psycopg
from tests.postgres.databases import new_database
with new_database() as url, psycopg.connect(url) as database:
    ((folder,),) = database.execute("SHOW data_directory")
    print(url, folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(programs() is None, reason=MISSING)
def test_nothing_is_left_of_the_server_of_a_run_that_was_killed() -> None:
    environ = {name: value for name, value in os.environ.items() if name != ADDRESS}
    # The server's keeper has the other end of this standard error: its end is waited for.
    run = subprocess.run(
        [sys.executable, "-c", KILLED_RUN],
        check=False,
        cwd=ROOT,
        env=environ,
        capture_output=True,
    )
    url, folder = run.stdout.decode().split()
    assert not Path(folder).parent.exists()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(url)
