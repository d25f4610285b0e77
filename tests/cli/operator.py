"""Somebody who types commands, with a launcher at hand."""

from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import msgspec
import pytest

from gateway.cli.main import main

Json = dict[str, Any]
REPOSITORY: Final = "https://github.com/acme/widgets"


@dataclass(frozen=True, kw_only=True)
class Typed:
    """The output and exit code of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Json:
        """Its stdout as the one JSON document it has to be."""
        found: Json = msgspec.json.decode(self.out)
        return found


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Types commands in this process, against a gateway in another."""

    http: httpx.Client
    """The client of launchers and agents."""
    key: str
    launcher_key: str
    capsys: pytest.CaptureFixture[str]
    hooks: dict[str, str] = field(default_factory=dict)
    """The capability URLs of the tasks that were claimed."""

    def types(self, *words: str) -> Typed:
        """One command."""
        code = main(list(words))
        printed = self.capsys.readouterr()
        return Typed(code=code, out=printed.out, err=printed.err)

    def creates(self, *options: str, prompt: str = "Add /health") -> str:
        """A task; its id."""
        typed = self.types(
            "tasks", "create", f"--repo={REPOSITORY}", f"--prompt={prompt}", *options, "--json"
        )
        assert typed.code == 0, typed.err
        return str(typed.document["id"])

    def claims(self, wait: float = 0) -> list[Json]:
        """Whatever there is for a launcher, or comes within so many seconds."""
        claim = {
            "launcherId": "l-1",
            "providers": ["local@here"],
            "capacity": 100,
            "waitSeconds": wait,
        }
        headers = {"authorization": f"Bearer {self.launcher_key}"}
        response = self.http.post(
            "/v1/launcher/claim", json=claim, headers=headers, timeout=wait + 15
        )
        jobs: list[Json] = response.raise_for_status().json()["jobs"]
        return jobs

    def says(self, task_id: str, **word: object) -> None:
        """The task's agent speaks, through its capability URL; whoever waits is launched."""
        if task_id not in self.hooks:
            self.hooks.update({job["taskId"]: job["env"]["WEBHOOK_URL"] for job in self.claims()})
        self.http.post(self.hooks[task_id], json=word).raise_for_status()
