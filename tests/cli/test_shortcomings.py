"""The notes of an `up` at start, and its line per task."""

import threading
from collections.abc import Mapping

import pytest

from gateway.cli.http.client import Client, open_http
from gateway.cli.http.connection import Connection
from gateway.cli.http.feed import feed_end
from gateway.cli.local.shortcomings import shortcomings
from gateway.cli.local.task_lines import TaskLines, print_tasks
from tests.cli.operator import Operator

KNOWN = {"SLIPGATE_PORT", "SLIPGATE_ALLOWED_REPOS", "SLIPGATE_GITHUB_APP_ID"}
WHOLE = {"OPENAI_API_KEY": "k", "GITHUB_TOKEN": "t"}


@pytest.mark.parametrize(
    ("environ", "providers", "told"),
    [
        (WHOLE, "local", []),
        ({}, "local", ["No model key is set (OPENAI_API_KEY", "GITHUB_TOKEN is not set"]),
        ({"OPENAI_API_KEY": " ", "GITHUB_TOKEN": "t"}, "local", ["No model key"]),
        ({"GEMINI_API_KEY": "k", "SLIPGATE_GITHUB_APP_ID": "1"}, "local", []),
        ({}, "github-actions", []),
        (
            {**WHOLE, "SLIPGATE_PROT": "1"},
            "local",
            ["SLIPGATE_PROT is no setting"],
        ),
        ({**WHOLE, "SLIPGATE_XYZ": "1"}, "local", ["SLIPGATE_XYZ is no setting of slipgate."]),
        ({**WHOLE, "SLIPGATE_PORT": "1", "SLIPGATE_DOCKER_CPUS": "1"}, "local", []),
    ],
    ids=["whole", "bare", "blank", "an App", "elsewhere", "a typo", "unknown", "known"],
)
def test_each_shortcoming_is_a_sentence(
    environ: Mapping[str, str], providers: str, told: list[str]
) -> None:
    found = list(shortcomings(environ, providers, KNOWN, ("SLIPGATE_DOCKER_",)))
    assert len(found) == len(told)
    for sentence, begin in zip(found, told, strict=True):
        assert sentence.startswith(begin)


def test_a_task_has_a_line_when_it_is_made_and_when_it_has_ended(operator: Operator) -> None:
    url = str(operator.http.base_url).rstrip("/")
    here = Connection(url=url, key=operator.key)
    over = threading.Event()
    with open_http(url, headers={"authorization": f"Bearer {here.key}"}, timeout=30) as http:
        client = Client(http, here)
        before = feed_end(client)
        task = operator.creates()
        operator.types("tasks", "cancel", task)
        after = print_tasks(client, before, over)
        lines = operator.capsys.readouterr().out.splitlines()
        assert [line.split()[1:3] for line in lines] == [[task, "created"], [task, "cancelled"]]
        assert after > before
        over.set()
        assert print_tasks(client, before, over) == after
        assert operator.capsys.readouterr().out == ""


def test_it_follows_until_it_is_left(operator: Operator) -> None:
    url = "http://127.0.0.1:9"  # nobody answers there
    with TaskLines() as lines:
        lines.follow(Connection(url=url, key=operator.key))
