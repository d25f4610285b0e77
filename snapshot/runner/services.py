"""The services of one attempt, made by the composition root."""

import msgspec

from .agent.child_env import ChildEnv
from .agent.landlock import Confinement
from .network.client import Network
from .reporting.channel import SignedChannel
from .reporting.recovery import Recovered
from .reporting.redaction import Redaction
from .reporting.reporter import Reporter
from .state_directory import StateDirectory
from .stop import Stop
from .time_budget import Budget


class Services(msgspec.Struct, frozen=True, kw_only=True):
    stop: Stop
    reporter: Reporter
    channel: SignedChannel | None
    """For signed reads; None without a gateway."""
    state: StateDirectory
    recovered: Recovered
    child_env: ChildEnv
    network: Network
    confinement: Confinement
    redaction: Redaction
    """Of all secrets, for reports."""
    ours: Redaction
    """Of those that no commit may hold; a test's fixed password is none."""
    budget: Budget
    script_digest: str
