"""The time of the attempt, shared out so that each later step still has some."""

import time
from dataclasses import dataclass, field
from typing import Final

MARGIN_PART: Final = 0.1
"""The gateway's clock began a little before ours, and what is left is for patch and last word."""
LONGEST_MARGIN_SECONDS: Final = 60.0
AGENT_PART: Final = 0.7
VALIDATION_PART: Final = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """Ends a little before the hard clock of the attempt, so that the end can still be told."""

    run_seconds: float
    began_at: float = field(default_factory=time.time)
    """Unix seconds of the attempt's first word, which an earlier start may have said."""

    @property
    def agent_seconds(self) -> float:
        """What the agent may still take."""
        return self._left(AGENT_PART)

    @property
    def validation_seconds(self) -> float:
        """What validation may still take."""
        return self._left(VALIDATION_PART)

    @property
    def seconds(self) -> float:
        """What everything together may still take."""
        return self._left(1.0)

    def _left(self, part: float) -> float:
        margin = min(LONGEST_MARGIN_SECONDS, MARGIN_PART * self.run_seconds)
        ends_at = self.began_at + part * (self.run_seconds - margin)
        return max(0.0, ends_at - time.time())
