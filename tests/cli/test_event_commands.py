"""`slipgate tasks events`: of one task or of all, once or as they come."""

import os
import signal
import subprocess
from pathlib import Path

import httpx
import msgspec

from gateway.cli.operations.minting import mint
from tests.app.processes import gateway_process
from tests.cli.operator import Operator
from tests.forks.programs import slipgate

TASK = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it"}


def test_events_without_an_id_are_those_of_all_tasks(operator: Operator) -> None:
    newest = operator.types("tasks", "events", "--json").document["nextCursor"]
    tasks = [operator.creates(), operator.creates()]
    operator.types("tasks", "cancel", tasks[0])
    lines = operator.types("tasks", "events", f"--after={newest}").out.splitlines()
    assert [(tasks[0] in line, tasks[1] in line) for line in lines] == [
        (True, False),
        (False, True),
        (True, False),
        (True, False),
    ]
    chosen = operator.types("tasks", "events", f"--after={newest}", "--types=task.cancel*")
    assert (chosen.code, chosen.out) == (1, "")
    assert "--types: Expected some of" in chosen.err
    chosen = operator.types("tasks", "events", f"--after={newest}", "--types=task.cancelled")
    assert [tasks[0] in line for line in chosen.out.splitlines()] == [True]
    usage = {"inputTokens": 9_000, "outputTokens": 700, "costUsd": 0.04, "turns": 7}
    operator.says(tasks[1], type="task.usage", **usage)
    told = operator.types("tasks", "events", tasks[1]).out
    assert "7 turns, 9000 tokens in, 700 out, 0.04 USD" in told


def test_following_a_task_that_has_ended_ends_with_it(operator: Operator) -> None:
    task = operator.creates()
    operator.types("tasks", "cancel", task)
    once = operator.types("tasks", "events", task)
    followed = operator.types("tasks", "events", task, "--follow")
    assert (followed.code, followed.out) == (0, once.out)
    lines = operator.types("tasks", "events", task, "--follow", "--json").out.splitlines()
    events = [msgspec.json.decode(line) for line in lines]
    assert events == operator.types("tasks", "events", task, "--json").document["data"]
    rest = operator.types("tasks", "events", task, "--follow", f"--after={events[-2]['seq']}")
    assert rest.out.splitlines() == once.out.splitlines()[-1:]


def test_a_feed_is_followed_until_it_is_interrupted_and_says_how_to_go_on(tmp_path: Path) -> None:
    with gateway_process(tmp_path) as (_, url, environ):
        key = mint(environ, "tasks", "default", "test").key
        headers = {"authorization": f"Bearer {key}"}
        with (
            httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http,
            subprocess.Popen(
                [slipgate(), "tasks", "events", "--follow", "--after=0", "--json"],
                env={**os.environ, "SLIPGATE_URL": url, "SLIPGATE_API_KEY": key},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process,
        ):
            assert process.stdout is not None
            try:
                told = []
                for _ in range(2):
                    task = http.post("/v1/tasks", json=TASK).raise_for_status().json()["id"]
                    event = msgspec.json.decode(process.stdout.readline())
                    assert (event["type"], event["taskId"]) == ("task.created", task)
                    told.append(event["seq"])
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=60)
            finally:
                process.kill()
    assert process.returncode == 0
    # The second may still be in the making: who goes on there gets it twice, and misses nothing.
    assert any(f"--follow --after {seq}" in err for seq in told)
