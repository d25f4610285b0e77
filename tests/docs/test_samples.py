"""Each sample is valid: JSON that is accepted, a request that succeeds, a file that parses."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

from gateway.cli.operations.minting import mint
from gateway.web.openapi.document import method_of, operation_of
from gateway.web.routes import ROUTES
from gateway.wire.decode import decode
from snapshot.runner.validation import settings
from tests.app.processes import gateway_process
from tests.docs.samples import ROOT, SAMPLES, Sample, in_language, pasted
from tests.interop.node import environ
from tests.web.contract import DOCUMENT, validator

LANGUAGES: Final = {"dockerfile", "json", "python", "sh", "text", "toml", "ts", "tsx", "yaml"}
PASTED: Final = {
    "app/actions.ts",
    "app/api/events/route.ts",
    "app/api/hook/route.ts",
    "app/api/tasks/[id]/token/route.ts",
    "app/api/tasks/route.ts",
    "app/page.tsx",
    "app/tasks/follow.ts",
    "emit.py",
    "emit.sh",
    "errors.ts",
    "express.ts",
    "first.ts",
    "hono.ts",
    "hook.py",
    "lists.ts",
    "nightly.py",
}
"""Run by `tests/interop` and `tests/clients`, or compiled by these."""
BASE: Final = "FROM debian:12\n"
OF_A_CALLBACK: Final = "callback of "
TASK: Final = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it"}


def test_every_sample_is_in_a_language_that_a_test_knows() -> None:
    assert {sample.language for sample in SAMPLES} == LANGUAGES


def test_every_program_is_one_that_is_run() -> None:
    programs = [sample.path for sample in SAMPLES if sample.language in {"python", "ts", "tsx"}]
    programs += [sample.path for sample in in_language("sh") if sample.path]
    assert sorted(programs, key=str) == sorted(PASTED)


@pytest.mark.parametrize("sample", in_language("json"), ids=str)
def test_json_is_accepted_strictly(sample: Sample) -> None:
    method, path = sample.about.removeprefix(OF_A_CALLBACK).split()
    operation = DOCUMENT["paths"][path][method.lower()]
    if sample.about.startswith(OF_A_CALLBACK):
        (addressed,) = operation["callbacks"].values()
        ((operation,),) = [methods.values() for methods in addressed.values()]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    validator(schema, is_strict=True).validate(msgspec.json.decode(sample.text))


@pytest.mark.parametrize("sample", in_language("json"), ids=str)
def test_the_body_of_a_request_is_decoded(sample: Sample) -> None:
    bodies = {
        f"{method_of(route)} {route.path}": operation_of(route).body
        for route in ROUTES
        if route.path != "/v1/webhooks/agent"  # signed, and decoded by its type: see `emit.py`
    }
    body = bodies.get(sample.about)
    if body is not None:
        assert isinstance(body.kind, type)
        decode(body.kind, sample.text.encode())


def test_the_task_of_the_contract_is_accepted() -> None:
    contract = (ROOT / "gateway/docs/interfaces.md").read_text("utf-8")
    with_comments = contract.partition("`POST /v1/tasks` → 202")[2].split("```")[1]
    body = re.sub(r"\s// .*", "", with_comments.removeprefix("json"))
    schema = DOCUMENT["paths"]["/v1/tasks"]["post"]["requestBody"]["content"]["application/json"]
    validator(schema["schema"], is_strict=True).validate(msgspec.json.decode(body))


def test_every_curl_succeeds_against_a_gateway(tmp_path: Path) -> None:
    with gateway_process(tmp_path) as (_, url, given):
        key = mint(given, "tasks", "default", "app").key
        headers = {"authorization": f"Bearer {key}"}
        task = httpx.post(
            f"{url}/v1/tasks", json=TASK, headers=headers, trust_env=False, timeout=60
        ).json()
        settings = {"SLIPGATE_URL": url, "SLIPGATE_API_KEY": key, "TASK_ID": task["id"]}
        samples = [one for one in in_language("sh") if one.text.startswith("curl")]
        assert len(samples) >= 3
        for sample in samples:
            done = subprocess.run(
                ["sh", "-e"],
                cwd=tmp_path,
                input=sample.text,
                env={**environ(), **settings},
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == 0, done.stdout + done.stderr


def test_files_of_platforms_mount_a_volume_and_ask_for_the_health_of_the_gateway() -> None:
    fly_toml, railway = (tomllib.loads(pasted(name)) for name in ("fly.toml", "railway.toml"))
    (render,) = yaml.safe_load(pasted("render.yaml"))["services"]
    (check,) = fly_toml["http_service"]["checks"]
    paths = {check["path"], railway["deploy"]["healthcheckPath"], render["healthCheckPath"]}
    assert paths == {"/healthz"}
    (volume,) = fly_toml["mounts"]
    assert {volume["destination"], render["disk"]["mountPath"]} == {"/data"}
    assert "VOLUME /data\n" in (ROOT / "Dockerfile").read_text()
    assert fly_toml["http_service"]["internal_port"] == 8700
    assert "ARG RUN_AS=" in (ROOT / "Dockerfile").read_text()


def test_the_settings_of_a_repository_are_read() -> None:
    declared = settings.read(pasted(".slipgate.yml"))
    assert [step.line for step in declared.setup or ()][1:] == ["uv sync --locked"]
    assert [check.line for check in declared.checks or ()][1:] == ["cd backend && uv run pytest"]
    assert declared.environ
    assert declared.tools == ("node", "uv")


@pytest.mark.parametrize("sample", in_language("dockerfile"), ids=str)
def test_lines_of_a_dockerfile_are_valid(sample: Sample) -> None:
    hadolint = Path(sys.prefix) / "bin" / "hadolint"
    subprocess.run([hadolint, "-"], input=BASE + sample.text, text=True, check=True)
