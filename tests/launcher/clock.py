"""Time that passes when a coroutine sleeps."""

import asyncio


class Time:
    """A monotonic clock (seconds) and the sleep that moves it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pace = 1
        """Seconds that pass in each second of a sleep: whoever polls does it less often."""

    def clock(self) -> float:
        """Seconds so far."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Moves the clock at once and lets other tasks run; a sleep of over an hour (a lease's
        renewal) never ends."""
        if seconds > 3_600:
            await asyncio.Event().wait()
        self.now += seconds * self.pace
        await asyncio.sleep(0)
