"""Parsing of the headers by which a server asks for a pause."""

import pytest

from launcher.providers.retry_after import seconds_to_wait

DATE = {"Date": "Sun, 06 Nov 2026 08:49:37 GMT"}
NOW = 1_793_954_977.0
"""`DATE` as a timestamp."""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, 0, id="nothing"),
        pytest.param({"Retry-After": "30"}, 30, id="seconds"),
        pytest.param({"retry-after": "1.5"}, 1.5, id="parts of a second"),
        pytest.param({"Retry-After": "Sun, 06 Nov 2026 08:50:07 GMT", **DATE}, 30, id="a date"),
        pytest.param({"Retry-After": "Sun, 06 Nov 2026 08:49:07 GMT", **DATE}, 0, id="the past"),
        pytest.param({"Retry-After-sandbox-create": "7", "Retry-After": "5"}, 7, id="the longest"),
        pytest.param({"X-RateLimit-Reset-anonymous": "12"}, 12, id="reset alone"),
        pytest.param(
            {"X-RateLimit-Reset": "1793954987", "X-RateLimit-Remaining": "0", **DATE},
            10,
            id="seconds since the epoch",
        ),
        pytest.param(
            {"X-RateLimit-Reset-sandbox-create": "1793954987000", **DATE}, 10, id="milliseconds"
        ),
        pytest.param({"Retry-After": "2026-11-06T08:50:07Z", **DATE}, 30, id="a date of ISO 8601"),
        pytest.param(
            {"X-RateLimit-Reset": "12", "X-RateLimit-Remaining": "3"}, 0, id="not used up"
        ),
        pytest.param(
            {"Retry-After": "4", "X-RateLimit-Reset": "99"}, 4, id="retry-after goes first"
        ),
        pytest.param({"Retry-After": "soon"}, 0, id="no number"),
        pytest.param({"Retry-After": "-5"}, 0, id="negative"),
        pytest.param({"Retry-After": "9" * 400}, 0, id="no number of any sense"),
        pytest.param({"Retry-Afterwards": "9"}, 0, id="another header"),
    ],
)
def test_every_form_of_a_wait_is_read(headers: dict[str, str], seconds: float) -> None:
    assert seconds_to_wait(headers, now=NOW) == seconds
