"""Requests made of the OpenAPI document, right and wrong ones: every answer is a documented one."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis import AuthContext, Case, Response
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)

from gateway.wire.signing import secret_bytes, sign
from tests.app.processes import gateway_process
from tests.stores import FileDatabase
from tests.web.callers import TASK, add_keys, sandbox_of
from tests.web.contract import DOCUMENT, validator

Json = dict[str, Any]
AnyCase = Case[Any]


def _without_long_bounds(node: Any) -> Any:
    """No text of thousands of characters is generated, and a pattern with such a bound takes a
    second to compile."""
    if isinstance(node, list):
        return [_without_long_bounds(item) for item in node]
    if not isinstance(node, dict):
        return node
    left_out = {"maxLength"} if node.get("maxLength", 0) in range(1_000, 10**9) else set()
    return {key: _without_long_bounds(it) for key, it in node.items() if key not in left_out}


API: Final = schemathesis.openapi.from_dict(_without_long_bounds(DOCUMENT))
API.config.phases.coverage.enabled = False
SHORT: Final = hypothesis.settings(
    max_examples=5,
    derandomize=True,  # the same requests each time: a failure here is a failure everywhere
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
BEYOND_A_SCHEMA: Final = {
    "attempt_finished",
    "invalid_cursor",
    "idempotency_mismatch",
    "invalid_request",
    "patch_too_large",
    "reserved_env",
}
"""Codes of rules that look at more than the form: git's, those of URLs, those of one's own past."""


class RunningGateway:
    """A gateway as a process, and one task that runs there."""

    def __init__(self, url: str, keys: dict[str, str]) -> None:
        self.url = url
        self._keys = keys
        self._job: Json = {}

    @property
    def job(self) -> Json:
        """The create job of the task."""
        return self._job or self._launched()

    def is_over(self) -> None:
        """The task has ended, or its job is done: the next one shall be another."""
        self._job = {}

    def _launched(self) -> Json:
        task = self._post("/v1/tasks", TASK, "tasks")
        claim = {"launcherId": "l1", "providers": ["local@here"], "capacity": 200}
        jobs = self._post("/v1/launcher/claim", claim, "launcher")["jobs"]
        (job,) = (job for job in jobs if job.get("taskId") == task["id"])
        name = {"provider": "local", "realm": "here", "name": job["sandbox"]["name"], "try": 1}
        self._report(job, "trying", name)
        self._report(job, "created", {"sandbox": sandbox_of(job)})
        self._job = job
        return self._job

    def _report(self, job: Json, verb: str, words: Json) -> None:
        lease = {"leaseToken": job["leaseToken"]}
        self._post(f"/v1/launcher/jobs/{job['id']}/{verb}", lease | words, "launcher")

    def _post(self, path: str, body: Json, scope: str) -> Json:
        headers = {"authorization": f"Bearer {self._keys[scope]}"}
        response = requests.post(self.url + path, json=body, headers=headers, timeout=20)
        assert response.ok, response.text
        answer: Json = response.json()
        return answer


@API.auth()
class Operator:
    """Holds the key that opens every route."""

    def get(self, case: AnyCase, context: AuthContext) -> str:
        """The key."""
        return f"slip_ops_{'a' * 43}"

    def set(self, case: AnyCase, data: str, context: AuthContext) -> None:
        """Sends it."""
        case.headers["Authorization"] = f"Bearer {data}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway on a socket."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    keys = add_keys(FileDatabase(folder / "s.db"))
    with gateway_process(folder, is_public=True) as (_, url, _):
        yield RunningGateway(url, keys)


@API.parametrize()
@SHORT
def test_every_answer_is_a_documented_one(case: AnyCase, running: RunningGateway) -> None:
    _make_real(case, running.job)
    response = case.call(running.url)
    case.validate_response(response, excluded_checks=_excluded(case, response))
    if response.status_code in {409, 410}:
        running.is_over()


def _excluded(case: AnyCase, response: Response) -> list[CheckFunction]:
    excluded: list[CheckFunction] = []
    is_problem = "problem" in response.headers["content-type"][0]
    if is_problem and response.json()["code"] in BEYOND_A_SCHEMA:
        excluded.append(positive_data_acceptance)
    # A script cannot mend a refusal, so its words are taken leniently; and a body that is too large
    # is not looked into.
    if _raw(case)["operationId"] == "callHook" or response.status_code == 413:
        excluded.append(negative_data_rejection)
    if "403" not in _raw(case)["responses"]:  # those that need a key of some scope
        excluded.append(ignored_auth)
    return excluded


def _make_real(case: AnyCase, job: Json) -> None:
    """A right request is about something that is there, and nobody waits for what does not come."""
    token = job["env"]["WEBHOOK_URL"].rpartition("/")[2]
    real = {"taskId": job["taskId"], "jobId": job["id"], "token": token}
    real["workspaceId"] = job["taskId"]
    for name in case.path_parameters.keys() & real.keys():
        case.path_parameters[name] = real[name]
    if case.query.get("wait") in range(31):
        case.query["wait"] = 0
    body = _whole(case.body)
    if isinstance(body, dict) and _is_right(case, body):
        case.body = {**body, **_about(job, body)}
    if case.operation.path == "/v1/webhooks/agent":
        _sign(case, job)


def _about(job: Json, body: Json) -> Json:
    if "leaseToken" in body:
        return {"leaseToken": job["leaseToken"]}
    if "waitSeconds" in body:
        return {"waitSeconds": 0}
    if "data" in body:
        return {"data": {**body["data"], "taskId": job["taskId"], "attempt": 1}}
    return {}


def _is_right(case: AnyCase, body: Json) -> bool:
    """True if the body matches the document."""
    (content,) = _raw(case)["requestBody"]["content"].values()
    return validator(content["schema"]).is_valid(body)


def _sign(case: AnyCase, job: Json) -> None:
    sent = requests.Request(**case.as_transport_kwargs("http://slipgate")).prepare().body
    body = sent if isinstance(sent, bytes) else str(sent or "").encode()
    now, name = int(time.time()), f"m{time.time_ns()}"
    secret = secret_bytes(job["env"]["SLIPGATE_WEBHOOK_SECRET"])
    case.headers["webhook-id"] = name
    case.headers["webhook-timestamp"] = str(now)
    case.headers["webhook-signature"] = sign(secret, name, now, body)


def _raw(case: AnyCase) -> Json:
    raw: Json = case.operation.definition.raw
    return raw


def _whole(value: object) -> object:
    """No caller writes whole numbers as `17.0`, which a JSON Schema takes and we do not."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
