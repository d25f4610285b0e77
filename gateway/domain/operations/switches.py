"""Switches: intake, launching and delivering, each of which ops may pause for all projects or one.

A pause is a period. It ends when somebody ends it or at its `until`; no timer runs, because every
rule compares the time.
"""

from typing import Final, Literal, get_args

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.part import Rows
from gateway.domain.tasks.task import Frozen

Switch = Literal["intake", "launching", "delivering"]
SWITCHES: Final[tuple[Switch, ...]] = get_args(Switch)
ALL: Final = ""
"""The project of a pause that holds for all of them."""
PauseKey = tuple[Switch, str, int]
"""(switch, project, beginning)."""
TRY_AGAIN: Final = 60
"""Seconds until a refused caller may ask again, if nobody knows the end of the pause."""
LONGEST_WAIT: Final = 300
"""Seconds that a refused caller is told to wait at most: ops may end a pause early."""


class Pause(Frozen, frozen=True, kw_only=True):
    """A period in which a switch is off; times in milliseconds."""

    switch: Switch
    project: str
    since: int
    until: int | None
    reason: str
    actor: str
    ended_at: int | None = None
    """The time at which somebody ended it."""
    ended_by: str | None = None
    end_reason: str | None = None

    @property
    def key(self) -> PauseKey:
        return (self.switch, self.project, self.since)

    @property
    def ends_at(self) -> int | None:
        """None: nobody knows yet."""
        ends = [at for at in (self.ended_at, self.until) if at is not None]
        return min(ends, default=None)

    def concerns(self, project: str) -> bool:
        return self.project in (ALL, project)

    def is_on(self, now: int) -> bool:
        return self.ends_at is None or now < self.ends_at


class Switches(Rows[PauseKey, Pause]):
    """Pauses that may last, and the earlier ones of launching: queue clocks stood still in them."""

    def __init__(self) -> None:
        super().__init__(lambda pause: pause.key)

    def pauses(self, switch: Switch, project: str) -> list[Pause]:
        """The pauses of the switch that concern the project, ended ones too."""
        return [
            pause for pause in self.values() if pause.switch == switch and pause.concerns(project)
        ]

    def pause(self, switch: Switch, project: str, now: int) -> Pause | None:
        """The pause that keeps the switch off for the project; of several the one that lasts
        longest."""
        lasting = [pause for pause in self.pauses(switch, project) if pause.is_on(now)]
        return max(lasting, key=lambda pause: pause.ends_at or float("inf"), default=None)

    def check_intake(self, project: str, now: int) -> None:
        """Refuses new work while intake is paused.

        Raises:
            ApiError: `intake_paused`.
        """
        pause = self.pause("intake", project, now)
        if pause is None:
            return
        left = TRY_AGAIN if pause.ends_at is None else -(-(pause.ends_at - now) // 1000)
        raise ApiError(
            "intake_paused",
            f"New tasks are not taken just now: {pause.reason}",
            hint="Nothing was stored. Send the same request again after Retry-After.",
            retry_after=max(1, min(left, LONGEST_WAIT)),
        )
