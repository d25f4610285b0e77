"""The charts of the page Now."""

import pytest

from gateway.domain.operations.history import Durations, Ends, durations
from gateway.web.dashboard.charts import durations_rows, ends_chart
from tests.stores import NewDatabase
from tests.web.callers import open_gateway
from tests.web.dashboard.browser import browser_of

HOUR = 3_600_000
NOW = 500 * HOUR + 1


def ends(hour: int, status: str, count: int) -> Ends:
    return Ends(hour=hour, status=status, count=count)


def test_a_bar_is_as_high_as_its_share_of_the_busiest_hour() -> None:
    chart = ends_chart(
        [ends(500, "completed", 3), ends(500, "failed", 1), ends(499, "completed", 2)], NOW
    )
    assert 'height="90.0"' in chart
    assert 'height="30.0"' in chart
    assert 'height="60.0"' in chart
    assert "this hour: 3 completed, 1 failed" in chart
    assert "Tasks that ended in the last 24 hours: 6; in the busiest hour: 4" in chart


def test_states_of_one_tone_are_one_piece_of_a_bar() -> None:
    chart = ends_chart([ends(500, "failed", 1), ends(500, "timed_out", 1)], NOW)
    assert chart.count("<rect") == 1
    assert "2 failed" in chart


@pytest.mark.parametrize("known", [[], [ends(400, "completed", 9)]], ids=["nothing", "old"])
def test_nothing_that_ended_is_no_chart(known: list[Ends]) -> None:
    assert ends_chart(known, NOW) == ""


@pytest.mark.parametrize(
    ("values", "half", "most"),
    [([], None, None), ([7], 7, 7), ([1, 2, 3, 4], 2, 4), (list(range(1, 101)), 50, 95)],
)
def test_a_percentile_is_a_duration_that_was_measured(
    values: list[int], half: int | None, most: int | None
) -> None:
    found = durations("x", values)
    assert (found.percentile(0.5), found.percentile(0.95)) == (half, most)


def test_a_clock_that_was_set_back_measures_nothing() -> None:
    assert durations("x", [5, None, -3]).values == (5,)


def test_durations_are_said_in_their_unit() -> None:
    rows = durations_rows(
        [
            Durations(name="a", values=(15, 1_500)),
            Durations(name="b", values=(90_000,)),
            Durations(name="c", values=()),
        ]
    )
    assert rows == [
        ("a", [("half", "15 ms"), ("19 of 20", "1.5 s")]),
        ("b", [("half", "1 min 30 s"), ("19 of 20", "1 min 30 s")]),
    ]


async def test_ends_and_durations_are_those_of_the_project(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        _, agent = await gateway.launch()
        await agent.emit("task.completed", "m1", summary="x", branchName="b", validation=[])
        browser = browser_of(gateway)
        async with browser.http:
            await browser.log_in("tasks")
            page = await browser.page("/dashboard")
            assert "ended in the last 24 hours: 1;" in page
            assert "Until it runs" in page
            browser.http.cookies.clear()
            await browser.log_in("other")
            assert "<svg" not in await browser.page("/dashboard")
