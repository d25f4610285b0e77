"""The time of the attempt, shared out so that each later step has some."""

import time
from typing import Final

import msgspec

MARGIN_PART: Final = 0.1
"""The gateway's clock began a little before ours, and the patch and the final event take time."""
LONGEST_MARGIN_SECONDS: Final = 60.0
AGENT_PART: Final = 0.7
VALIDATION_PART: Final = 0.9
"""Shares of the time behind which the agent and the validation end."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that remain of each part; all end before the gateway's limit for the attempt."""

    run_seconds: float
    began_at: float
    """Unix seconds of the attempt's first event, also of one of an earlier start."""

    @property
    def agent_seconds(self) -> float:
        return self._left(AGENT_PART)

    @property
    def validation_seconds(self) -> float:
        return self._left(VALIDATION_PART)

    @property
    def seconds(self) -> float:
        return self._left(1.0)

    def _left(self, part: float) -> float:
        margin = min(LONGEST_MARGIN_SECONDS, MARGIN_PART * self.run_seconds)
        ends_at = self.began_at + part * (self.run_seconds - margin)
        return max(0.0, ends_at - time.time())
