"""The shipped workflow, and a runner that runs its steps as GitHub's does."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]  # it ships no types

from launcher.__main__ import main

SHIPPED = Path(__file__).resolve().parents[2] / "snapshot" / "github-workflow.yml"
EXPRESSION = re.compile(r"\$\{\{ (secrets|vars|inputs)\.(\w+) \}\}")


def run_launcher() -> int:
    """In a fork: `slipgate launcher`, without the start of a second interpreter."""
    command, *options = sys.argv[1:]
    assert command == "launcher"
    return main(options)


class Ran(NamedTuple):
    """Result of a step."""

    code: int
    out: str


class Workflow:
    """The parsed file."""

    def __init__(self, path: Path = SHIPPED) -> None:
        self.text = path.read_text()
        self.document: dict[Any, Any] = yaml.safe_load(self.text)

    @property
    def inputs(self) -> dict[str, Any]:
        """Inputs of a dispatch."""
        triggers = self.document[True]  # YAML takes the key `on` for a truth
        inputs: dict[str, Any] = triggers["workflow_dispatch"]["inputs"]
        return inputs

    @property
    def job(self) -> dict[str, Any]:
        (job,) = self.document["jobs"].values()
        assert isinstance(job, dict)
        return job

    @property
    def steps(self) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = self.job["steps"]
        return steps

    def step(self, name: str) -> dict[str, Any]:
        return next(step for step in self.steps if step.get("name") == name)


@dataclass(kw_only=True)
class Runner:
    """A machine with only the workflow's environment."""

    workspace: Path
    workflow: Workflow
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    path: str = os.defpath
    env: Mapping[str, str] = field(default_factory=dict)
    """Overrides values of a step."""

    async def step(self, name: str, job: str) -> Ran:
        """Runs one step of a run for this job."""
        step = self.workflow.step(name)
        given = {"PATH": self.path, "HOME": str(self.workspace), "CI": "true"}
        declared = {**self.workflow.job["env"], **step.get("env", {})}
        given |= {str(name): self._resolved(str(text), job) for name, text in declared.items()}
        process = await asyncio.create_subprocess_exec(
            "bash",
            "--noprofile",
            "--norc",
            "-eo",
            "pipefail",
            "-c",
            step["run"],
            cwd=self.workspace,
            env={**given, **self.env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return Ran(process.returncode or 0, out.decode())

    def _resolved(self, text: str, job: str) -> str:
        """Replaces expressions; an unset one is empty."""
        known = {"secrets": self.secrets, "vars": self.variables, "inputs": {"job": job}}
        return EXPRESSION.sub(lambda found: known[found[1]].get(found[2], ""), text)
