"""Switches: intake, launching and delivering, each of which ops may pause for all projects or one,
launching also at one provider.

A pause is a period. It ends when somebody ends it or at its `until`; no timer runs, because every
rule compares the time.
"""

from typing import Final, Literal, get_args

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.part import Rows
from gateway.domain.launching.realm import RealmKey, realm_text
from gateway.domain.tasks.task import Frozen

Switch = Literal["intake", "launching", "delivering"]
SWITCHES: Final[tuple[Switch, ...]] = get_args(Switch)
ALL: Final = ""
"""The project of a pause that holds for all of them."""
PauseKey = tuple[Switch, str, str, int]
"""(switch, project, provider, beginning)."""
TRY_AGAIN: Final = 60
"""Seconds until a refused caller may ask again, if nobody knows the end of the pause."""
LONGEST_WAIT: Final = 300
"""Seconds that a refused caller is told to wait at most: ops may end a pause early."""


class Pause(Frozen, frozen=True, kw_only=True):
    """A period in which a switch is off; times in milliseconds."""

    switch: Switch
    project: str
    """Of a pause at a provider, the project of the launchers; empty: all."""
    provider: str = ""
    """`name` or `name@realm`; empty: all."""
    since: int
    until: int | None
    reason: str
    actor: str
    ended_at: int | None = None
    """The time at which somebody ended it."""
    ended_by: str | None = None
    end_reason: str | None = None
    code: str | None = None
    """The error for which the gateway itself has paused a provider."""
    probe_at: int | None = None
    """The time from which one launch is tried at the provider; None: none is."""
    probes: int = 0
    """Launches that were tried since the beginning."""

    @property
    def key(self) -> PauseKey:
        return (self.switch, self.project, self.provider, self.since)

    @property
    def ends_at(self) -> int | None:
        """None: nobody knows yet."""
        ends = [at for at in (self.ended_at, self.until) if at is not None]
        return min(ends, default=None)

    @property
    def is_whole(self) -> bool:
        """True if it holds for everybody and everywhere."""
        return self.project == ALL and not self.provider

    def concerns(self, project: str) -> bool:
        return self.project in (ALL, project)

    def covers(self, key: RealmKey) -> bool:
        """True if it is one of this provider, or of this realm of it."""
        provider, realm, project = key
        is_there = self.provider in {provider, realm_text((provider, realm))}
        return is_there and self.project in (ALL, project)

    def ends_after(self, at: int) -> bool:
        return self.ends_at is None or at < self.ends_at

    def is_on(self, now: int) -> bool:
        """False once somebody has ended it, though the clock was set back since."""
        return self.ended_at is None and (self.until is None or now < self.until)


class Switches(Rows[PauseKey, Pause]):
    """Pauses that may last, and the earlier ones of launching: queue clocks stood still in them."""

    def __init__(self) -> None:
        super().__init__(lambda pause: pause.key)

    def pauses(self, switch: Switch, project: str) -> list[Pause]:
        """The pauses of the switch that concern the project, ended ones too; none of a single
        provider."""
        if not self:  # nearly always, and each delivery asks four times
            return []
        return [
            pause
            for pause in self.values()
            if pause.switch == switch and not pause.provider and pause.concerns(project)
        ]

    @property
    def has_providers(self) -> bool:
        """True if launching is, or was, paused at a single provider."""
        return any(pause.provider for pause in self.values())

    def at(self, key: RealmKey, since: int) -> list[Pause]:
        """The pauses of launching at this realm, without those that ended by then: a provider that
        fails now and then has thousands of them."""
        later = (pause for pause in self.values() if pause.provider and pause.ends_after(since))
        return [pause for pause in later if pause.covers(key)]

    def holding(self, key: RealmKey, now: int) -> Pause | None:
        """The pause that keeps launches away from this realm; one of ops before the gateway's."""
        lasting = [pause for pause in self.at(key, now) if pause.is_on(now)]
        return min(lasting, key=lambda pause: pause.code is not None, default=None)

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
