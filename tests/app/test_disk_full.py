"""A disk that is full, as the gateway's process meets it, and that has room again."""

import resource
from pathlib import Path
from typing import Final

import httpx

from gateway.cli.local.processes import Child, wait_for
from gateway.cli.operations.minting import mint
from gateway.store.sqlite.admin.audit import audit
from tests.app.processes import gateway_process

LARGE: Final = {"repoUrl": "https://github.com/acme/widgets", "prompt": "x" * 190_000}


def limit_files_of(child: Child, size: int) -> None:
    """No file of this process grows past so many bytes."""
    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_on_a_full_disk_nothing_is_half_stored_and_work_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    with gateway_process(tmp_path, is_public=True, is_fork=False) as (child, url, environ):
        headers = {"authorization": f"Bearer {mint(environ, 'tasks', 'default', 'test').key}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
            stored = [http.post("/v1/tasks", json=LARGE).json()["id"] for _ in range(3)]
            limit_files_of(child, (tmp_path / "s.db-wal").stat().st_size)
            refused = http.post("/v1/tasks", json=LARGE)
            assert (refused.status_code, refused.json()["code"]) == (503, "read_only")
            assert int(refused.headers["retry-after"]) >= 1
            wait_for(lambda: http.get("/readyz").status_code == 503, "it to say so", child, 60)
            assert http.get("/readyz").json()["code"] == "read_only"
            assert http.get("/healthz").status_code == 200
            (problem, *_) = http.get("/v1/status").json()["problems"]
            assert problem["code"] == "read_only"
            assert http.get(f"/v1/tasks/{stored[0]}").json()["status"] == "queued"
            wait_for(lambda: "loop.unavailable" in child.tail(1_000), "a loop to try", child, 60)

            limit_files_of(child, resource.RLIM_INFINITY)
            wait_for(lambda: http.get("/readyz").status_code == 200, "it to be ready", child, 60)
            codes = {one["code"] for one in http.get("/v1/status").json()["problems"]}
            assert "read_only" not in codes
            stored.append(http.post("/v1/tasks", json=LARGE).json()["id"])
            listed = [task["id"] for task in http.get("/v1/tasks").json()["data"]]
            assert sorted(listed) == sorted(stored)
    found = audit(tmp_path / "s.db")
    assert (found.tasks, found.problems) == (len(stored), ())
