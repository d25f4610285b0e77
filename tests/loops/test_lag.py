"""The meter of the event loop's lag."""

from gateway.loops.lag import EVERY, LagMeter


async def test_the_lag_is_the_time_by_which_a_step_is_late() -> None:
    lags: list[float] = []
    now = 100.0
    meter = LagMeter(lags.append, monotonic=lambda: now)
    assert await meter.step() == EVERY
    assert lags == []
    for late in (0.0, 0.25, -0.5):  # a wake-up for another reason is not late
        now += EVERY + late
        await meter.step()
    assert lags == [0.0, 0.25, 0.0]
