"""Time that passes when a coroutine sleeps."""

import asyncio


class Time:
    """A monotonic clock (seconds) and the sleep that moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        """Seconds so far."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """They pass at once, and everybody else has a turn; whoever wants to sleep for more than
        an hour (to renew a lease of many) sleeps for good."""
        if seconds > 3_600:
            await asyncio.Event().wait()
        self.now += seconds
        await asyncio.sleep(0)
