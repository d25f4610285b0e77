"""New GitHub tokens: an agent asks, a launcher of its project answers, and nothing is kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast

import httpx
import pytest
import structlog

from gateway.domain.kernel.errors import Unavailable
from gateway.domain.kernel.keyring import NONCE_BYTES, Keyring
from gateway.notifier import Notifier
from gateway.store.peers import NO_PEERS, Peers
from gateway.web.http.admission import PER_ATTEMPT
from gateway.web.http.middleware import Application
from gateway.web.launching.token_messages import AnswerSeal
from gateway.web.launching.waiting_tokens import MOST, OFFERED_SECONDS, Waiting, WaitingTokens
from gateway.wire.github_tokens import TokenAnswer, TokenRequest
from gateway.wire.launcher import LaunchError
from tests.launcher.clock import Time
from tests.web.callers import Agent, GatewayHarness, Json

PATH = "/v1/launcher/token-requests"
TOKEN = "ghs_0123456789abcdefghij"
ANSWER = TokenAnswer(token=TOKEN, expires_at=datetime(2030, 1, 1, tzinfo=UTC))
MADE: Json = {"token": TOKEN, "expiresAt": "2030-01-01T00:00:00Z"}


async def wanted(
    gateway: GatewayHarness, scope: str = "launcher", *, seconds: float = 0
) -> list[Json]:
    body = {"launcherId": f"of-{scope.replace(' ', '-')}", "waitSeconds": seconds}
    response = await gateway.post(PATH, body, scope=scope)
    assert response.status_code == 200, response.text
    found: list[Json] = response.json()["requests"]
    return found


@asynccontextmanager
async def asking(
    gateway: GatewayHarness, agent: Agent
) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """The agent's request, while a launcher with an App lives."""
    await wanted(gateway)
    task, number = agent.env["SLIPGATE_TASK_ID"], agent.env["SLIPGATE_ATTEMPT"]
    url = f"/v1/agent/github-token?taskId={task}&attempt={number}"
    asked = asyncio.create_task(gateway.http.get(url, headers=agent.headers(b"", "token")))
    try:
        yield asked
    finally:
        asked.cancel()


async def test_a_launcher_answers_with_a_token_for_the_repository_of_the_task(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch()
    async with asking(gateway, agent) as asked:
        (request,) = await wanted(gateway, seconds=30)
        assert request | {"id": ""} == {
            "id": "",
            "repoUrl": job["env"]["TARGET_REPO"],
            "taskId": job["taskId"],
            "attempt": 1,
        }
        assert await wanted(gateway) == [], "it is offered once"
        answered = await gateway.post(f"{PATH}/{request['id']}", MADE, scope="launcher")
        assert answered.status_code == 200
        response = await asked
    assert response.json() == {"token": TOKEN, "expiresAt": "2030-01-01T00:00:00.000Z"}
    again = await gateway.post(f"{PATH}/{request['id']}", MADE, scope="launcher")
    assert again.status_code == 404


@pytest.mark.parametrize(
    ("is_retryable", "status", "code"),
    [(True, 503, "unavailable"), (False, 404, "no_github_app")],
    ids=["transient", "permanent"],
)
@pytest.mark.alike
async def test_a_launcher_that_makes_none_says_why(
    gateway: GatewayHarness, *, is_retryable: bool, status: int, code: str
) -> None:
    _, agent = await gateway.launch()
    error = {"code": "github_app_x", "message": f"No: {TOKEN}", "retryable": is_retryable}
    async with asking(gateway, agent) as asked:
        (request,) = await wanted(gateway, seconds=30)
        await gateway.post(f"{PATH}/{request['id']}", {"error": error}, scope="launcher")
        response = await asked
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert TOKEN not in response.text


async def test_an_attempt_that_ends_while_it_waits_gets_no_token(gateway: GatewayHarness) -> None:
    _, agent = await gateway.launch()
    async with asking(gateway, agent) as asked:
        (request,) = await wanted(gateway, seconds=30)
        error = {"stage": "agent", "code": "x", "message": "x", "retryable": False}
        assert (await agent.emit("task.failed", "m1", error=error)).status_code == 202
        await gateway.post(f"{PATH}/{request['id']}", MADE, scope="launcher")
        response = await asked
    assert (response.status_code, response.json()["code"]) == (410, "attempt_finished")


async def test_an_attempt_asks_for_no_more_at_once_than_it_needs(gateway: GatewayHarness) -> None:
    _, agent = await gateway.launch()
    task = agent.env["SLIPGATE_TASK_ID"]
    url = f"/v1/agent/prompt?taskId={task}&attempt=1"
    assert (await gateway.http.get(url, headers=agent.headers(b"", "one"))).status_code == 200
    for _ in range(PER_ATTEMPT):
        cast("Application", gateway.app).context.admission.enter_attempt({}, task)
    refused = await gateway.http.get(url, headers=agent.headers(b"", "two"))
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_open")


async def test_a_revoked_launcher_gets_no_request_and_answers_none(
    gateway: GatewayHarness,
) -> None:
    await gateway.claim(launcherId="of-launcher")
    _, agent = await gateway.launch()
    async with asking(gateway, agent) as asked:
        (request,) = await wanted(gateway, seconds=30)
        order = {"reason": "stolen"}
        await gateway.post("/v1/launchers/of-launcher/revoke", order, scope="ops")
        answer = await gateway.post(f"{PATH}/{request['id']}", MADE, scope="launcher")
        assert (answer.status_code, answer.json()["code"]) == (403, "launcher_revoked")
        again = await gateway.post(PATH, {"launcherId": "of-launcher"}, scope="launcher")
        assert (again.status_code, again.json()["code"]) == (403, "launcher_revoked")
        assert not asked.done()


@pytest.mark.alike
async def test_without_a_launcher_that_has_an_app_the_answer_comes_at_once(
    gateway: GatewayHarness,
) -> None:
    _, agent = await gateway.launch()
    url = f"/v1/agent/github-token?taskId={agent.env['SLIPGATE_TASK_ID']}"
    response = await gateway.http.get(url, headers=agent.headers(b"", "t"))
    assert (response.status_code, response.json()["code"]) == (404, "no_github_app")


@pytest.mark.parametrize(
    "answer",
    [{}, {"token": TOKEN}, MADE | {"token": "two words"}, MADE | {"error": {"code": "x"}}],
    ids=["nothing", "no end", "a space", "both"],
)
@pytest.mark.alike
async def test_an_answer_is_a_token_with_its_end_or_an_error(
    gateway: GatewayHarness, answer: Json
) -> None:
    response = await gateway.post(f"{PATH}/tok_1", answer, scope="launcher")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


class Others:
    """The other gateways, which hear at once."""

    are_there = True

    def __init__(self, all_of_them: "list[Others]") -> None:
        self._all = all_of_them
        self.receive: Callable[[str], None] = lambda _: None
        self.sent: list[str] = []
        all_of_them.append(self)

    async def send(self, message: str) -> None:
        self.sent.append(message)
        for other in self._all:
            if other is not self:
                other.receive(message)

    def subscribe(self, receive: Callable[[str], None]) -> None:
        self.receive = receive


class Waits:
    """Waiting requests on a clock that is moved by hand."""

    def __init__(self, peers: Peers = NO_PEERS, key: bytes = bytes(32)) -> None:
        self.time = Time()
        self.notifier = Notifier()
        self.is_draining = False
        self.tokens = WaitingTokens(
            self.notifier,
            peers=peers,
            seal=AnswerSeal(Keyring({"k1": key}), lambda: bytes(NONCE_BYTES)),
            is_draining=lambda: self.is_draining,
            monotonic=self.time.clock,
        )

    async def ask(self, number: int, project: str = "a") -> asyncio.Task[Waiting]:
        """The request of an attempt, which waits."""
        request = TokenRequest(id=f"tok_{number}", repo_url="r", task_id=f"t{number}", attempt=1)
        asked = asyncio.create_task(self.tokens.ask(request, project, seconds=60))
        await asyncio.sleep(0)
        return asked

    async def take(self, served: str, launcher_id: str = "l1") -> list[str]:
        async def is_gone() -> bool:
            return False

        found = await self.tokens.take(served, launcher_id, seconds=0, is_gone=is_gone)
        return [each.id for each in found]


@pytest.fixture
def waits() -> Waits:
    return Waits()


async def test_a_launcher_of_another_project_sees_nothing_and_answers_nothing(waits: Waits) -> None:
    asked = await waits.ask(1)
    assert await waits.take("b") == []
    assert not waits.tokens.has_launcher("a")
    assert not await waits.tokens.settle("tok_1", "b", ANSWER)
    assert await waits.take("a") == ["tok_1"]
    assert waits.tokens.has_launcher("a")
    assert await waits.tokens.settle("tok_1", "a", ANSWER)
    assert (await asked).answer == ANSWER
    assert not await waits.tokens.settle("tok_1", "a", ANSWER), "nothing is kept"


async def test_a_launcher_of_all_projects_is_one_of_each(waits: Waits) -> None:
    asked = await waits.ask(1)
    assert await waits.take("") == ["tok_1"]
    assert waits.tokens.has_launcher("a")
    assert await waits.tokens.settle("tok_1", "", ANSWER)
    await asked


async def test_an_offer_that_is_not_answered_is_made_again(waits: Waits) -> None:
    asked = await waits.ask(1)
    assert await waits.take("a") == ["tok_1"]
    waits.time.now += OFFERED_SECONDS - 1
    assert await waits.take("a") == []
    waits.time.now += 1
    assert await waits.take("a") == ["tok_1"]
    asked.cancel()


async def test_a_refusal_is_the_answer_only_if_no_other_launcher_lives(waits: Waits) -> None:
    refusal = TokenAnswer(error=LaunchError(code="x", message="Not here.", retryable=False))
    asked = await waits.ask(1)
    assert await waits.take("a", "l2") == ["tok_1"]
    assert await waits.take("", "l1") == []
    assert await waits.tokens.settle("tok_1", "a", refusal)
    assert await waits.take("a", "l2") == [], "it has refused"
    assert await waits.take("", "l1") == ["tok_1"]
    assert await waits.tokens.settle("tok_1", "", ANSWER)
    assert (await asked).answer == ANSWER

    asked = await waits.ask(2)
    for launcher_id in ("l1", "l2"):
        assert await waits.take("a", launcher_id) == ["tok_2"]
        assert await waits.tokens.settle("tok_2", "a", refusal)
    assert (await asked).answer == refusal


async def test_two_requests_of_one_attempt_are_one_and_a_stop_ends_their_wait(waits: Waits) -> None:
    both = [await waits.ask(1), await waits.ask(1)]
    assert await waits.take("a") == ["tok_1"]
    waits.is_draining = True
    waits.notifier.notify_all()
    assert [each.answer for each in await asyncio.gather(*both)] == [None, None]


async def test_the_number_of_attempts_that_wait_is_bounded(waits: Waits) -> None:
    asked = [await waits.ask(number) for number in range(MOST)]
    with pytest.raises(Unavailable):
        await (await waits.ask(MOST))
    for each in asked:
        each.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    (await waits.ask(MOST)).cancel()


@pytest.fixture
def both() -> tuple[Waits, Waits, list[str]]:
    """Two gateways that are not new any more, and the messages of the second."""
    ends: list[Others] = []
    here, there = Waits(Others(ends)), Waits(Others(ends))
    for each in (here, there):
        each.time.now += 60
    return here, there, ends[1].sent


async def test_a_launcher_answers_an_agent_that_waits_at_another_gateway(
    both: tuple[Waits, Waits, list[str]],
) -> None:
    here, there, sent = both
    assert not here.tokens.has_launcher("a")
    assert await there.take("a") == []
    assert here.tokens.has_launcher("a")
    assert not here.tokens.has_launcher("b")
    asked = await here.ask(1)
    assert await there.take("b") == []
    assert await there.take("a") == ["tok_1"]
    assert not await there.tokens.settle("tok_1", "b", ANSWER)
    assert await there.tokens.settle("tok_1", "a", ANSWER)
    assert (await asked).answer == ANSWER
    assert not await there.tokens.settle("tok_1", "a", ANSWER)
    assert TOKEN not in "".join(sent)


async def test_a_launcher_elsewhere_is_asked_once_those_here_have_refused_or_are_silent(
    both: tuple[Waits, Waits, list[str]],
) -> None:
    here, there, _ = both
    refusal = TokenAnswer(error=LaunchError(code="x", message="No.", retryable=False))
    await here.take("a", "l1")
    await there.take("a", "l2")
    asked = await here.ask(1)
    assert await here.take("a", "l1") == ["tok_1"]
    assert await there.take("a", "l2") == []
    assert await here.tokens.settle("tok_1", "a", refusal)
    await asyncio.sleep(0)
    assert await there.take("a", "l2") == ["tok_1"]
    assert await there.tokens.settle("tok_1", "a", refusal)
    assert (await asked).answer == refusal
    assert await there.take("a", "l3") == [], "it is over"


async def test_an_answer_that_cannot_be_opened_is_none() -> None:
    ends: list[Others] = []
    here, there = Waits(Others(ends)), Waits(Others(ends), key=bytes(31) + b"1")
    asked = await here.ask(1)
    assert await there.take("a") == ["tok_1"]
    with structlog.testing.capture_logs() as logs:
        assert await there.tokens.settle("tok_1", "a", ANSWER)
    assert [(line["event"], line["task"], line["key_id"]) for line in logs] == [
        ("github_token.unreadable_answer", "t1", "k1")
    ]
    here.is_draining = True
    here.notifier.notify_all()
    assert (await asked).answer is None


async def test_a_new_gateway_does_not_say_that_there_is_no_launcher() -> None:
    assert Waits(Others([])).tokens.has_launcher("a")
