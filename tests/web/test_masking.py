"""Tokens in addresses: whatever is logged or answered, they do not stand in it."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, unquote

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.web.http.masking import MAX_PATH, masked, masked_text
from tests.web.callers import GatewayHarness

SECRET: Final = "Kq3_" + "x-Z9" * 9 + "abc"
TOKEN: Final = f"1.{SECRET}"
WAYS: Final = (
    "/v1/hooks/task_1/{}",
    "/V1/hooks/task_1/{}",
    "/v1/HOOKS/task_1/{}",
    "/v1//hooks/task_1/{}",
    "/v1/hooks//task_1///{}",
    "/v1/hooks/task_1/{}/more",
    "/v1/hooks/{}",
    "/hooks/task_1/{}",
    "/api/v1/hooks/task_1/{}?x=1",
    "/v1/tasks/task_1/{}",
    "/v1/tasks/task_1/events&token=st_9.{}",
    "/v1/tasks/task_1/TOKEN={}",
    "/{}",
)


@pytest.fixture
def lines() -> Iterator[list[structlog.typing.EventDict]]:
    """The log entries."""
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


def test_the_token_of_a_capability_url_is_masked() -> None:
    assert masked("/v1/hooks/task_1/1.secret") == "/v1/hooks/task_1/***"
    assert masked("/v1/hooks/task_1/short/more") == "/v1/hooks/task_1/***"


@pytest.mark.parametrize("path", ["/v1/tasks/task_1/events", "/webhooks", "/a%20b", "/v1.0/x"])
def test_a_path_without_a_token_is_shown_as_it_is(path: str) -> None:
    assert masked(path) == path


@pytest.mark.parametrize("way", WAYS)
@given(encodings=st.integers(0, 3), everything=st.booleans())
def test_a_token_is_masked_wherever_it_stands(way: str, encodings: int, everything: bool) -> None:
    path = way.format(TOKEN)
    for _ in range(encodings):
        path = "".join(f"%{ord(one):02x}" for one in path) if everything else quote(path, safe="")
    assert SECRET not in _all_decoded(masked(path))


def _all_decoded(text: str) -> str:
    for _ in range(5):
        text = unquote(text)
    return text


def test_a_key_in_a_path_is_redacted_and_a_long_path_is_cut() -> None:
    assert masked(f"/v1/tasks/slip_tasks_{'a' * 43}") == "/v1/tasks/[redacted:slipgate_key]"
    assert len(masked("/" + "a" * 60_000)) == MAX_PATH


def test_a_sentence_that_quotes_a_token_does_not() -> None:
    assert SECRET not in masked_text(f"Unknown parameter ?token={SECRET}")
    assert SECRET not in masked_text(f"'{TOKEN}' is no task")


@pytest.mark.parametrize("encode", [str, lambda text: quote(text, safe="")], ids=["", "%"])
async def test_neither_log_nor_answer_nor_metrics_show_a_token(
    gateway: GatewayHarness, lines: list[structlog.typing.EventDict], encode: type[str]
) -> None:
    for way in WAYS:
        lines.clear()
        path = way.format(encode(TOKEN))
        referer = {"referer": f"https://gate.example{path}"}
        for method in ("GET", "POST", "PUT"):
            answer = await gateway.http.request(method, path, headers=referer)
            assert SECRET not in answer.text
            assert SECRET not in str(answer.headers)
        assert lines
        assert SECRET not in str(lines)
    for name in ("token", "TOKEN", "tok%65n", f"token%3D{TOKEN}", TOKEN):
        answer = await gateway.get(f"/v1/tasks?{name}={encode(TOKEN)}")
        assert SECRET not in answer.text
    assert SECRET not in str(lines)
    assert SECRET not in (await gateway.get("/metrics", "read")).text
