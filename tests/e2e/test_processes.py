"""The end of a failed test's processes."""

import subprocess
from pathlib import Path

from tests.e2e import processes


def test_what_a_process_of_the_folder_has_started_ends_with_it(tmp_path: Path) -> None:
    script = "env -i sleep 600 & echo $!; wait"
    command = ["sh", "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        processes.end_all(tmp_path)
        assert not processes.is_alive(child)
