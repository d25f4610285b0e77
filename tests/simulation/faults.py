"""Faults: what the world does to us, and how much of it this seed brings.

Swarm testing: each seed brings some faults and leaves others out, each rarely or often. A run with
everything at once would hide what a rare pair of faults does.
"""

from dataclasses import dataclass, fields
from typing import Final

from tests.simulation.choices import Stream

RARELY: Final = 0.25
OFTEN: Final = 1.0


@dataclass(kw_only=True, slots=True)
class Faults:
    """The chance of each fault in a thousand; the number given is for `often`."""

    lost_request: int = 80
    lost_answer: int = 80
    duplicated: int = 80
    late: int = 120
    cut_off: int = 25
    """A caller cannot reach the gateway for a while."""
    gateway_crash: int = 15
    """At a commit: before it, after it, or after it was answered."""
    disk_full: int = 12
    clock_jump: int = 8
    launcher_crash: int = 15
    """At a call to the gateway or to the provider: before it, or after it was sent."""
    agent_crash: int = 40
    """At a word: before it is written, or after it was sent."""
    agent_silent: int = 60
    agent_slow: int = 200
    sandbox_dies: int = 30
    provider_refuses: int = 80
    provider_hangs: int = 60
    provider_slow: int = 200
    late_create: int = 80
    """The call that creates is given up, and the sandbox comes all the same."""
    wrong_snapshot: int = 60
    flapping: int = 120
    """A look does not find a sandbox that lives; once in its life, for two looks are believed."""
    sweeps: int = 1
    """No fault: every sweep is made, also those that find nothing."""
    receiver_refuses: int = 300
    receiver_hangs: int = 100
    session_lost: int = 20
    """Of one of several gateways, at a commit; and so are those below."""
    gateway_stands: int = 15
    """It stands still for a while."""
    gateway_leaves: int = 10
    commit_unanswered: int = 20
    """Nobody knows if it was made."""

    @classmethod
    def drawn(cls, choices: Stream) -> "Faults":
        """This seed's share: none, a little or all of each."""
        faults = cls()
        for each in fields(cls):
            share = choices.pick((0.0, 0.0, RARELY, OFTEN))
            setattr(faults, each.name, round(getattr(faults, each.name) * share))
        return faults

    def end(self) -> None:
        """From now on the world is well."""
        for each in fields(self):
            setattr(self, each.name, 0)

    def __str__(self) -> str:
        on = (f"{each.name}={getattr(self, each.name)}" for each in fields(self))
        return " ".join(text for text in on if not text.endswith("=0"))
