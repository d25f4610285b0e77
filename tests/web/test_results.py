"""Logs and patches over HTTP: in order, with a cursor, and with what is missing in sight."""

import pytest

from gateway.web.tasks.results import TRAJECTORY_LENGTH
from tests.web.callers import Agent, GatewayHarness, Json

TEXT = "text/plain"


async def log(agent: Agent, *pieces: tuple[int, str]) -> None:
    for offset, chunk in pieces:
        answer = await agent.emit("task.log", f"log-{offset}", offset=offset, chunk=chunk)
        assert answer.status_code == 202


async def logged(gateway: GatewayHarness, task_id: str, query: str = "") -> Json:
    response = await gateway.get(f"/v1/tasks/{task_id}/logs?{query}")
    assert response.status_code == 200, response.text
    page: Json = response.json()
    return page


async def test_pieces_that_came_late_stand_where_they_belong(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await log(agent, (4, "b\n"), (0, "a\nü"), (9, "d\n"))
    page = await logged(gateway, job["taskId"])
    shown = [(piece["offset"], piece["chunk"], piece["missing"]) for piece in page["data"]]
    assert shown == [(0, "a\nü", 0), (4, "b\n", 0), (9, "d\n", 3)]


async def test_a_log_goes_on_at_its_cursor_past_everything_else(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    empty = await logged(gateway, job["taskId"])
    assert empty == {"data": [], "nextCursor": "0"}
    await log(agent, (0, "a\n"))
    first = await logged(gateway, job["taskId"], "after=0")
    await agent.emit("task.heartbeat", "m1")
    assert await logged(gateway, job["taskId"], f"after={first['nextCursor']}") == {
        "data": [],
        "nextCursor": first["nextCursor"],
    }
    await log(agent, (2, "b\n"), (9, "c\n"))
    rest = await logged(gateway, job["taskId"], f"after={first['nextCursor']}")
    assert [(piece["chunk"], piece["missing"]) for piece in rest["data"]] == [
        ("b\n", 0),
        ("c\n", 5),
    ]


async def test_a_log_is_one_text_for_who_wants_text(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    path = f"/v1/tasks/{job['taskId']}/logs"
    assert (await gateway.get(path, accept=TEXT)).text == ""
    pieces = [(number * 2, f"{number % 10}\n") for number in range(205)]
    await log(agent, *pieces, (500, "end\n"))
    text = await gateway.get(path, accept=TEXT)
    assert text.headers["content-type"].startswith(TEXT)
    whole = "".join(chunk for _, chunk in pieces)
    assert text.text == f"{whole}\n[90 bytes are missing]\nend\n"
    page = await logged(gateway, job["taskId"])
    assert len(page["data"]) == 200
    rest = await gateway.get(f"{path}?after={page['nextCursor']}", accept=TEXT)
    assert rest.text == text.text[400:]


async def test_a_patch_with_a_hole_is_not_given_as_if_it_were_whole(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch()
    path = f"/v1/tasks/{job['taskId']}/patch"
    await agent.emit("task.patch", "p1", offset=3, chunk="+b\n")
    torn = await gateway.get(path)
    assert (torn.status_code, torn.json()["code"]) == (409, "patch_incomplete")
    assert "bytes 0 to 2" in torn.json()["detail"]
    await agent.emit("task.patch", "p2", offset=0, chunk="+a\n+")
    assert (await gateway.get(path)).text == "+a\n+b\n"


@pytest.mark.parametrize("path", ["/logs?limit=1", "/patch?after=1", "/logs?after=1&after=2"])
@pytest.mark.alike
async def test_what_would_be_ignored_is_refused(gateway: GatewayHarness, path: str) -> None:
    task = await gateway.create()
    response = await gateway.get(f"/v1/tasks/{task['id']}{path}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_the_record_of_the_turns_is_served_whole_or_not_at_all(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch()
    path = f"/v1/tasks/{job['taskId']}/trajectory"
    assert (await gateway.get(path)).json()["code"] == "no_trajectory"
    for offset, chunk in ((8, '["ü"]}'), (0, '{"turns"')):
        await agent.emit("task.trajectory", f"t-{offset}", offset=offset, chunk=chunk)
        if offset:
            assert (await gateway.get(path)).json()["code"] == "no_trajectory"
    answer = await gateway.get(path)
    assert answer.text == '{"turns"["ü"]}'
    assert answer.headers["slipgate-trajectory-attempt"] == "1"
    assert (await gateway.get(f"{path}?attempt=2")).json()["code"] == "no_trajectory"


@pytest.mark.alike
async def test_a_record_that_is_longer_than_an_engine_makes_it_is_not_read_whole(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch()
    chunk = "turn " * 13_000
    for number in range(TRAJECTORY_LENGTH // len(chunk) + 1):
        fields = {"offset": number * len(chunk), "chunk": chunk}
        await agent.emit("task.trajectory", f"t-{number}", **fields)
    answer = await gateway.get(f"/v1/tasks/{job['taskId']}/trajectory")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_trajectory")
