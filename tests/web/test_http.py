"""HTTP in general: keys, error forms, bad input, ids of requests."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.web.http.body import MIB
from gateway.web.http.codes import STATUS, TITLES
from tests.web.callers import TASK, GatewayHarness

GATEWAY = Path(__file__).parents[2] / "gateway"


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        pytest.param("", 401, "unauthorized", id="none"),
        pytest.param("Basic eDp5", 401, "unauthorized", id="another scheme"),
        pytest.param("Bearer slip_tasks_short", 401, "unauthorized", id="another form"),
        pytest.param(f"Bearer slip_tasks_{'z' * 43}", 401, "unauthorized", id="unknown"),
        pytest.param(f"Bearer slip_launcher_{'a' * 43}", 403, "forbidden", id="wrong scope"),
        pytest.param(f"Bearer slip_read_{'a' * 43}", 403, "forbidden", id="may only read"),
    ],
)
async def test_only_a_tasks_key_creates(
    gateway: GatewayHarness, authorization: str, status: int, code: str
) -> None:
    response = await gateway.http.post(
        "/v1/tasks", json=TASK, headers={"authorization": authorization}
    )
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert ("www-authenticate" in response.headers) == (status == 401)


async def test_a_frontends_key_opens_no_launchers_door(gateway: GatewayHarness) -> None:
    response = await gateway.post("/v1/launcher/claim", {})
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


async def test_an_unknown_route_is_a_problem_document(gateway: GatewayHarness) -> None:
    response = await gateway.http.get("/v1/nothing")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
    assert response.json()["requestId"] == response.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/tasks/task_x/cancel", "/v1/launcher/claim", "/healthz"])
async def test_a_wrong_method_names_the_right_ones(gateway: GatewayHarness, path: str) -> None:
    response = await gateway.http.put(path)
    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"
    assert response.headers["allow"]


async def test_the_collection_names_all_its_methods(gateway: GatewayHarness) -> None:
    response = await gateway.http.put("/v1/tasks")
    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"
    assert {"GET", "POST"} <= set(response.headers["allow"].split(", "))


async def test_the_address_of_a_form_loaded_again_leads_to_its_page(
    gateway: GatewayHarness,
) -> None:
    pages = {
        "/portal/leave": "/portal",
        "/portal/endpoints": "/portal",
        "/portal/endpoints/ep_a/rotate-secret": "/portal/endpoints/ep_a",
        "/portal/deliveries/dlv_a%3Fb/retry": "/portal/deliveries/dlv_a%3Fb",
        "/dashboard/tasks/task_x/attempts/1/release": "/dashboard/tasks/task_x",
        "/dashboard/access/keys/key_x/revoke": "/dashboard/access",
    }
    for path, page in pages.items():
        response = await gateway.http.get(path)
        assert (response.status_code, response.headers.get("location")) == (303, page)
    assert (await gateway.http.put("/portal/leave")).status_code == 405


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("req-1.a", True), ("a b", False), ("x" * 101, False)],
    ids=["sane", "a space", "too long"],
)
async def test_a_sane_request_id_is_kept(
    gateway: GatewayHarness, given: str, is_kept: bool
) -> None:
    response = await gateway.http.get("/healthz", headers={"x-request-id": given})
    assert (response.headers["x-request-id"] == given) == is_kept
    assert response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        pytest.param(b"{", "application/json", 400, "invalid_json", id="broken"),
        pytest.param(b"", "application/json", 400, "invalid_json", id="empty"),
        pytest.param(b'"\xff"', "application/json", 400, "invalid_json", id="not UTF-8"),
        pytest.param(b"[" * 9_999, "application/json", 400, "invalid_json", id="too deep"),
        pytest.param(b"[]", "application/json", 422, "invalid_request", id="another shape"),
        pytest.param(b"{}", "text/plain", 415, "unsupported_media_type", id="media type"),
        pytest.param(b" " * (2 * MIB + 1), "application/json", 413, "too_large", id="too large"),
    ],
)
async def test_a_bad_body_is_refused_with_its_code(
    gateway: GatewayHarness, content: bytes, media_type: str, status: int, code: str
) -> None:
    headers = gateway.bearer("tasks") | {"content-type": media_type}
    response = await gateway.http.post("/v1/tasks", content=content, headers=headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["requestId"] == response.headers["x-request-id"]


async def test_a_compressed_body_is_refused(gateway: GatewayHarness) -> None:
    refused = await gateway.post("/v1/tasks", TASK, content_encoding="gzip")
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_media_type")
    assert (await gateway.post("/v1/tasks", TASK, content_encoding="identity")).status_code == 202


async def test_a_body_without_a_length_is_bounded_while_it_is_read(gateway: GatewayHarness) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * (MIB // 16)

    headers = gateway.bearer("launcher") | {"content-type": "application/json"}
    response = await gateway.http.post("/v1/launcher/claim", content=endless(), headers=headers)
    assert response.status_code == 413


async def test_all_wrong_paths_are_named(gateway: GatewayHarness) -> None:
    response = await gateway.post(
        "/v1/tasks", {"repoUrl": 1, "timeouts": {"runSeconds": 0}, "promt": "x"}
    )
    assert response.status_code == 422
    paths = {error["path"] for error in response.json()["errors"]}
    assert paths == {"$.repoUrl", "$.prompt", "$.timeouts.runSeconds", "$.promt"}


def test_every_code_that_is_raised_has_a_status() -> None:
    raised = re.compile(r'(?:Refused|WrongShape)\(\s*"([a-z_]+)"')
    for floor in ("web", "domain", "wire"):
        for source in sorted((GATEWAY / floor).rglob("*.py")):
            unknown = set(raised.findall(source.read_text())) - STATUS.keys()
            assert not unknown, f"{source.name}: {unknown}"
    assert set(STATUS.values()) <= TITLES.keys()


async def test_health_readiness_and_metrics(gateway: GatewayHarness) -> None:
    assert (await gateway.http.get("/healthz")).status_code == 200
    assert (await gateway.http.get("/readyz")).status_code == 200
    assert (await gateway.http.get("/metrics")).status_code == 401
    await gateway.create()
    metrics = await gateway.get("/metrics", "read")
    assert 'slipgate_tasks{status="queued"} 1.0' in metrics.text
