"""Follow-ups: comments, reviews and failed checks of our pull requests become tasks."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
import pytest_asyncio

from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, beside, sandbox_of
from tests.web.services import FOLLOW_UP_LIMIT, PULL, GitHub, open_gateway_with_services


@pytest_asyncio.fixture
async def gateway(database: NewDatabase) -> AsyncIterator[GatewayHarness]:
    async with open_gateway_with_services(database, follow_ups="comment,review,check") as opened:
        yield opened


@pytest.fixture
def github(gateway: GatewayHarness) -> GitHub:
    return GitHub(http=gateway.http)


def now(**before: float) -> str:
    return (datetime.now(UTC) - timedelta(**before)).strftime("%Y-%m-%dT%H:%M:%SZ")


def comment(body: str = "/slipgate Use JSON", **fields: object) -> Json:
    text = {"user": {"login": "mona"}, "author_association": "MEMBER", "created_at": now()}
    issue = {"number": 12, "pull_request": {"html_url": PULL}}
    return {"action": "created", "issue": issue, "comment": text | {"body": body} | fields}


def review(body: str | None = "Use JSON", **fields: object) -> Json:
    text = {"user": {"login": "mona"}, "author_association": "OWNER", "submitted_at": now()}
    given = text | {"state": "changes_requested", "body": body} | fields
    return {"action": "submitted", "review": given, "pull_request": {"html_url": PULL}}


def pull(base: int | None = 1, head: int | None = 1) -> Json:
    """Our pull request in a message about a check; the sides are numbers of repositories."""
    sides = {"base": base, "head": head}
    return {"number": 12} | {
        name: {"ref": "main", "repo": side and {"id": side}} for name, side in sides.items()
    }


def check(**fields: object) -> Json:
    run = {"name": "ci", "head_sha": "5f1c", "conclusion": "failure", "completed_at": now()}
    given = run | {"pull_requests": [pull()]} | fields
    repository = {"html_url": "https://github.com/acme/widgets", "id": 1}
    return {"action": "completed", "check_run": given, "repository": repository}


async def send(github: GitHub, event: str, body: Json, name: str | None = None) -> httpx.Response:
    return await github.send(msgspec.json.encode(body), name, event=event)


async def ended(gateway: GatewayHarness, **wanted: object) -> str:
    """A completed task with a pull request, its sandbox gone."""
    job, agent = await gateway.launch(**wanted)
    await agent.emit("task.completed", "end", summary="Added it.", prUrl=PULL)
    (destroy,) = await gateway.claim(capacity=0)
    await gateway.report(destroy, "done", sandbox=sandbox_of(destroy, "destroyed"))
    return str(job["taskId"])


async def newest(gateway: GatewayHarness) -> Json:
    tasks: list[Json] = (await gateway.get("/v1/tasks")).json()["data"]
    return tasks[0]


@pytest.mark.parametrize(
    ("event", "body", "wanted"),
    [
        ("issue_comment", comment(), ("Use JSON", "mona")),
        ("issue_comment", comment("/slipgate\n\nUse\nJSON"), ("Use\nJSON", "mona")),
        ("pull_request_review", review(), ("Use JSON", "mona")),
        ("pull_request_review", review(None), ("Address the comments of the review.", "mona")),
        ("pull_request_review", review(" \n"), ("Address the comments of the review.", "mona")),
        ("check_run", check(), ("The check 'ci' failed on commit 5f1c.", None)),
    ],
    ids=["comment", "comment of lines", "review", "review without a text", "blank review", "check"],
)
@pytest.mark.alike
async def test_a_request_on_a_pull_request_becomes_a_continuation(
    gateway: GatewayHarness, github: GitHub, event: str, body: Json, wanted: tuple[str, str | None]
) -> None:
    first = await ended(gateway, env={"FEATURE": "on"}, agent={"maxTurns": 7})
    answer = await send(github, event, body)
    assert (answer.status_code, answer.json()) == (202, {"accepted": True, "applied": True})
    task = await newest(gateway)
    assert task["continueOf"] == first
    assert task["agent"]["maxTurns"] == 7
    assert task["prompt"].startswith(wanted[0])
    (job,) = await gateway.claim()
    assert job["env"]["FEATURE"] == "on"
    asked = json.loads(job["env"]["SLIPGATE_CONTINUE"])
    assert (asked["prUrl"], asked["requestedBy"]) == (PULL, wanted[1])


NOT_FOLLOWED: tuple[tuple[str, Json], ...] = (
    ("issue_comment", comment("Nice! /slipgate do it")),
    ("issue_comment", comment("/slipgateway")),
    ("issue_comment", comment() | {"action": "edited"}),
    ("issue_comment", comment() | {"issue": {"number": 3}}),
    ("issue_comment", comment(author_association="CONTRIBUTOR")),
    ("issue_comment", comment(author_association="NONE")),
    ("issue_comment", comment(user=None)),
    ("pull_request_review", review(user=None)),
    ("pull_request_review", review(state="approved")),
    ("pull_request_review", review(author_association="FIRST_TIMER")),
    ("check_run", check(conclusion="success")),
    ("check_run", check(pull_requests=[])),
    ("check_run", check(pull_requests=None)),
    ("check_run", check(pull_requests=[pull(head=2), pull(base=2), pull(head=None)])),
    ("check_run", check(pull_requests=[{"number": 12}])),
    ("push", {"ref": "refs/heads/main"}),
)


@pytest.mark.alike
async def test_what_asks_for_nothing_or_comes_from_strangers_is_not_followed(
    gateway: GatewayHarness, github: GitHub
) -> None:
    first = await ended(gateway)
    answers = [(row, (await send(github, *row)).json()) for row in NOT_FOLLOWED]
    ignored = {"accepted": True, "applied": False, "reason": "not_followed"}
    assert [(row, answer) for row, answer in answers if answer != ignored] == []
    assert (await newest(gateway))["id"] == first


async def test_a_message_that_comes_again_makes_no_second_task(
    gateway: GatewayHarness, github: GitHub
) -> None:
    await ended(gateway)
    body = comment()
    await send(github, "issue_comment", body, "one")
    again = [await send(github, "issue_comment", body, name) for name in ("one", "two")]
    assert [answer.json()["duplicate"] for answer in again] == [True, True]
    assert len((await gateway.get("/v1/tasks")).json()["data"]) == 2


async def test_follow_ups_run_one_after_another_and_each_continues_the_newest(
    gateway: GatewayHarness, github: GitHub, database: NewDatabase
) -> None:
    await ended(gateway)
    await send(github, "issue_comment", comment("/slipgate one"))
    second = await newest(gateway)
    await send(github, "issue_comment", comment("/slipgate two"))
    assert (await newest(gateway))["continueOf"] == second["id"]
    assert len(await gateway.claim(capacity=2)) == 1
    assert database.problems() == ()


async def test_a_follow_up_waits_for_the_task_whose_branch_it_continues(
    gateway: GatewayHarness, github: GitHub
) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.pr_created", "pr", prUrl=PULL)
    answer = await send(github, "issue_comment", comment())
    assert answer.json()["applied"] is True
    assert await gateway.claim(capacity=2) == []
    await agent.emit("task.completed", "end", summary="Added it.", prUrl=PULL)
    (destroy,) = await gateway.claim(capacity=0)
    await gateway.report(destroy, "done", sandbox=sandbox_of(destroy, "destroyed"))
    (follow_up,) = await gateway.claim(capacity=2)
    assert (await gateway.post(f"/v1/tasks/{job['taskId']}/retry")).status_code == 202
    assert follow_up["taskId"] != job["taskId"]
    assert await gateway.claim(capacity=2) == [], "the retry waits for the follow-up"


@pytest.mark.alike
async def test_a_repository_that_is_allowed_no_more_gets_no_follow_up(
    database: NewDatabase,
) -> None:
    for allowed in ("", "https://github.com/other/*"):
        async with open_gateway_with_services(
            database, follow_ups="comment", allowed_repos=allowed
        ) as gateway:
            if not allowed:
                await ended(gateway)
                continue
            answer = await send(GitHub(http=gateway.http), "issue_comment", comment())
            assert answer.status_code == 202
            assert answer.json()["reason"] == "repo_not_allowed"


@pytest.mark.alike
async def test_a_failed_check_waits_for_the_work_that_is_under_way(
    gateway: GatewayHarness, github: GitHub
) -> None:
    await ended(gateway)
    await send(github, "issue_comment", comment())
    answer = await send(github, "check_run", check())
    assert answer.json()["reason"] == "nothing_to_do"


async def test_checks_that_fail_at_once_make_one_task(
    gateway: GatewayHarness, github: GitHub
) -> None:
    await ended(gateway)
    checks = (check(name=name) for name in ("build", "lint", "test"))
    answers = await asyncio.gather(*(send(github, "check_run", body) for body in checks))
    assert Counter(answer.json().get("reason") for answer in answers) == {
        None: 1,
        "nothing_to_do": 2,
    }


@pytest.mark.alike
async def test_the_follow_ups_of_a_pull_request_are_bounded(
    gateway: GatewayHarness, github: GitHub
) -> None:
    await ended(gateway)
    reasons = []
    for number in range(FOLLOW_UP_LIMIT + 1):
        answer = await send(github, "issue_comment", comment(f"/slipgate {number}"))
        reasons.append(answer.json().get("reason"))
    assert reasons == [None] * FOLLOW_UP_LIMIT + ["follow_up_limit"]


async def test_other_tasks_of_a_pull_request_hide_no_follow_ups_from_the_bound(
    gateway: GatewayHarness, github: GitHub, database: NewDatabase
) -> None:
    await ended(gateway)
    for number in range(FOLLOW_UP_LIMIT):
        await send(github, "issue_comment", comment(f"/slipgate {number}"))
    await asyncio.gather(*(gateway.create() for _ in range(100)))
    await beside(
        database,
        "UPDATE tasks SET pr_url = (SELECT max(follow_up_of) FROM tasks) "
        "WHERE follow_up_of IS NULL",
    )
    answer = await send(github, "issue_comment", comment("/slipgate more"))
    assert answer.json()["reason"] == "follow_up_limit"


async def test_a_kept_message_is_refused_once_its_id_is_forgotten(
    gateway: GatewayHarness, github: GitHub
) -> None:
    await ended(gateway)
    answer = await send(github, "issue_comment", comment(created_at=now(days=8)))
    assert (answer.status_code, answer.json()["code"]) == (401, "timestamp_out_of_tolerance")


@pytest.mark.alike
async def test_nobodys_pull_request_makes_no_task(gateway: GatewayHarness, github: GitHub) -> None:
    answer = await send(github, "issue_comment", comment())
    assert answer.json()["reason"] == "unknown_pull_request"


async def test_no_kind_is_followed_unless_it_is_named(database: NewDatabase) -> None:
    async with open_gateway_with_services(database) as gateway:
        await ended(gateway)
        answer = await send(GitHub(http=gateway.http), "issue_comment", comment())
        assert answer.json()["reason"] == "not_followed"


async def test_another_project_that_names_the_pull_request_later_gets_nothing(
    gateway: GatewayHarness, github: GitHub, database: NewDatabase
) -> None:
    first = await ended(gateway)
    foreign = await gateway.create("other")
    named = f"UPDATE tasks SET pr_url = '{PULL}' WHERE id = '{foreign['id']}'"  # noqa: S608
    await beside(database, named)
    assert (await send(github, "check_run", check())).json()["applied"], (
        "its work holds up no other"
    )
    assert (await newest(gateway))["continueOf"] == first
    assert len((await gateway.get("/v1/tasks", "other")).json()["data"]) == 1
