"""Error messages and exit codes of failed calls."""

import httpx
import msgspec
import pytest

from gateway.cli.http.connection import Connection
from gateway.cli.http.errors import Unavailable, no_answer, rejection

HERE = Connection(url="http://gate", key="k")


def _problem(status: int, code: str, **more: object) -> httpx.Response:
    document = {"status": status, "code": code, "detail": "So it is.", "requestId": "req_7", **more}
    return httpx.Response(status, content=msgspec.json.encode(document))


@pytest.mark.parametrize(
    ("response", "message", "next_step", "is_unavailable"),
    [
        (
            _problem(503, "intake_paused", hint="Send the same request again after Retry-After."),
            "intake_paused: So it is.",
            "slipgate switches show",
            True,
        ),
        (
            _problem(503, "unavailable", hint="Send the same request again after Retry-After."),
            "unavailable: So it is.",
            "at its disk",
            True,
        ),
        (
            _problem(422, "invalid_request", detail="?errorCode: Expected so"),
            "invalid_request: --error-code: Expected so",
            "the fields that are named",
            False,
        ),
        (_problem(500, "internal"), "internal: So it is.", "under request req_7", False),
        (_problem(409, "env_expired", hint="Make another."), "env_expired", "Make another.", False),
        (_problem(409, "brand_new"), "brand_new", "slipgate tasks explain", False),
        (
            _problem(404, "not_found", detail="There is no such route."),
            "not_found",
            "ends behind the port",
            False,
        ),
        (httpx.Response(502, text="<html>"), "HTTP 502 from something before", "a proxy", True),
        (
            httpx.Response(404, text="<html>"),
            "HTTP 404, and not in the form",
            "SLIPGATE_URL",
            False,
        ),
        (httpx.Response(401, json={"error": "no"}), "HTTP 401", "something else answers", False),
    ],
    ids=[
        "paused",
        "cannot store",
        "a parameter",
        "a bug",
        "its own hint",
        "a code nobody knows",
        "no route",
        "a proxy",
        "another server",
        "another server's JSON",
    ],
)
def test_a_refusal_is_told_with_what_to_do(
    response: httpx.Response, message: str, next_step: str, is_unavailable: bool
) -> None:
    failure = rejection(response, HERE)
    assert message in failure.message
    assert next_step in failure.next_step
    assert isinstance(failure, Unavailable) == is_unavailable


def test_several_wrong_fields_are_named_each_on_a_line() -> None:
    errors = [{"path": "$.a", "message": "no"}, {"path": "$.b", "message": "nor this"}]
    failure = rejection(_problem(422, "invalid_request", errors=errors), HERE)
    assert failure.message.splitlines()[1:] == ["  $.a: no", "  $.b: nor this"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (httpx.ConnectError("refused"), "Nobody answers at http://gate"),
        (httpx.ReadTimeout("late"), "did not answer in time"),
        (httpx.RemoteProtocolError("cut"), "broke off its answer (RemoteProtocolError)"),
    ],
    ids=["nobody", "late", "cut off"],
)
def test_no_answer_is_a_gateway_that_is_unavailable(error: httpx.HTTPError, message: str) -> None:
    assert message in no_answer(error, HERE).message
