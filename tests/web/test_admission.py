"""One key, project or attempt cannot close the door to the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.kernel.errors import ApiError, Unavailable
from gateway.domain.operations.api_key import ApiKey, key_digest
from gateway.domain.operations.key_commands import CreateKey
from gateway.domain.operations.rate_limit import RateLimit
from gateway.store.administration import open_operator
from gateway.web.http.admission import PER_ATTEMPT, Admission
from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, open_gateway

KEY = f"slip_tasks_{'c' * 43}"
BEARER = {"authorization": f"Bearer {KEY}"}


def key(name: str, project: str = "alpha", **limit: Any) -> ApiKey:
    return ApiKey(id=name, scope="tasks", project=project, name=name, rate_limit=RateLimit(**limit))


def admitted(admission: Admission, wanted: ApiKey, times: int) -> list[dict[str, Any]]:
    """The states of so many requests that were let in."""
    states: list[dict[str, Any]] = [{} for _ in range(times)]
    for state in states:
        admission.enter(state, wanted)
    return states


def test_a_key_has_a_quarter_of_all_places_and_another_key_is_still_let_in() -> None:
    admission = Admission(most=64)
    states = admitted(admission, key("a"), 16)
    with pytest.raises(ApiError, match="too_many_open"):
        admission.enter({}, key("a"))
    admission.enter({}, key("b"))
    admission.leave(states[0])
    admission.enter({}, key("a"))


def test_a_project_has_half_of_all_places_however_many_keys_it_has() -> None:
    admission = Admission(most=64)
    for name in "ab":
        admitted(admission, key(name), 16)
    with pytest.raises(ApiError, match="too_many_open"):
        admission.enter({}, key("c"))
    admission.enter({}, key("d", project="beta"))


def test_when_all_places_are_taken_a_quiet_project_is_still_let_in() -> None:
    admission = Admission(most=64)
    for project in ("alpha", "beta"):
        for name in "ab":
            admitted(admission, key(f"{project}-{name}", project), 16)
    with pytest.raises(ApiError):
        admission.enter({}, key("alpha-c", "alpha"))
    admitted(admission, key("quiet", "quiet"), 4)
    with pytest.raises(Unavailable):
        admission.enter({}, key("quiet", "quiet"))


def test_readers_with_stream_tokens_are_bounded_as_a_key_is() -> None:
    admission = Admission(most=64)
    for _ in range(16):
        admission.enter_reader({}, "alpha")
    with pytest.raises(ApiError, match="too_many_open"):
        admission.enter_reader({}, "alpha")
    admission.enter_reader({}, "beta")


def test_an_attempt_sends_a_few_events_at_a_time() -> None:
    admission = Admission(most=64)
    for _ in range(PER_ATTEMPT):
        admission.enter_attempt({}, "task_a")
    with pytest.raises(ApiError, match="too_many_open"):
        admission.enter_attempt({}, "task_a")
    admission.enter_attempt({}, "task_b")


@given(st.lists(st.sampled_from(["a", "b", "reader", "attempt", "leave"]), max_size=60))
def test_who_has_left_takes_no_place(steps: list[str]) -> None:
    admission = Admission(most=8)
    inside: list[dict[str, Any]] = []
    for step in steps:
        state: dict[str, Any] = {}
        try:
            if step == "leave":
                admission.leave(inside.pop() if inside else {})
            elif step == "reader":
                admission.enter_reader(state, "alpha")
            elif step == "attempt":
                admission.enter_attempt(state, "task_a")
            else:
                admission.enter(state, key(step))
        except ApiError:
            admission.leave(state)
        else:
            inside.append(state)
    for state in inside:
        admission.leave(state)
    admitted(admission, key("a"), 2)
    admitted(admission, key("b"), 2)


@asynccontextmanager
async def limited_gateway(database: NewDatabase, limit: RateLimit) -> AsyncIterator[GatewayHarness]:
    """A gateway that knows one more key, with this limit."""
    async with open_gateway(database) as gateway:
        made = ApiKey(
            id="key_limited", scope="tasks", project="limited", name="limited", rate_limit=limit
        )
        with open_operator(database.location) as operator:
            operator.submit(CreateKey(key=made, digest=key_digest(KEY)), 1_000)
        yield gateway


@pytest.mark.alike
async def test_past_its_rate_a_key_is_told_when_to_come_again(database: NewDatabase) -> None:
    limit = RateLimit(requests_per_second=0.01, burst=2)
    async with limited_gateway(database, limit) as gateway:
        answers = [await gateway.http.get("/v1/tasks", headers=BEARER) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        refused = answers[-1]
        assert refused.json()["code"] == "rate_limited"
        assert 1 <= int(refused.headers["retry-after"]) <= 100
        assert refused.headers["ratelimit-limit"] == "2"
        assert refused.headers["ratelimit-remaining"] == "0"
        assert refused.headers["ratelimit-policy"] == "2;w=200"
        assert 100 <= int(refused.headers["ratelimit-reset"]) <= 200
        assert (await gateway.get("/v1/tasks")).status_code == 200


@pytest.mark.alike
async def test_past_its_open_requests_a_key_is_refused_until_one_has_ended(
    database: NewDatabase,
) -> None:
    async with limited_gateway(database, RateLimit(concurrent=2)) as gateway:
        polls = [asyncio.ensure_future(_poll(gateway)) for _ in range(2)]
        refused = await _until(gateway, 429)
        assert refused.json()["code"] == "too_many_open"
        assert int(refused.headers["retry-after"]) >= 1
        assert (await gateway.get("/v1/tasks")).status_code == 200
        polls[0].cancel()
        await asyncio.wait({polls[0]})
        assert (await _until(gateway, 200)).status_code == 200
        polls[1].cancel()
        await asyncio.wait({polls[1]})


async def _poll(gateway: GatewayHarness) -> None:
    """A long poll, as soon as there is a place for it."""
    status = 429
    while status == 429:
        status = (await gateway.http.get("/v1/events?wait=30", headers=BEARER)).status_code


async def _until(gateway: GatewayHarness, status: int) -> httpx.Response:
    """The first answer with this status: a poll takes its place in a later turn of the loop."""
    async with asyncio.timeout(60):
        while True:
            answer = await gateway.http.get("/v1/tasks", headers=BEARER)
            if answer.status_code == status:
                return answer
