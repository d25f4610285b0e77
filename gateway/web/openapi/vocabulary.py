"""Fields that hold one word of a few: the rules own the words, the messages only carry them."""

from typing import Final, get_args

from gateway.domain.tasks.event import ABOUT_ENDPOINTS, FACTS
from gateway.domain.tasks.task import (
    CLOCK_NAMES,
    FLAG_ORDER,
    PUBLIC_CLOCK,
    Status,
)
from gateway.wire.launcher import SandboxState

WORDS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("TaskView", "status"): tuple(Status),
    ("WholeTaskView", "status"): tuple(Status),
    ("AttemptView", "status"): tuple(Status),
    ("DeliveryView", "status"): ("pending", "delivered", "dead", "superseded", "held"),
    ("DeliveryView", "type"): tuple(FACTS),
    ("DeliveryAttemptView", "trigger"): ("auto", "manual", "replay"),
    ("FlagView", "code"): FLAG_ORDER,
    ("SandboxView", "state"): get_args(SandboxState),
    ("DeadlineView", "what"): tuple(
        dict.fromkeys(PUBLIC_CLOCK.get(name, name) for name in CLOCK_NAMES)
    ),
    ("EventView", "type"): tuple(FACTS),
    ("Notice", "type"): tuple(name for name in FACTS if name not in ABOUT_ENDPOINTS),
    ("EndpointNotice", "type"): tuple(name for name in FACTS if name in ABOUT_ENDPOINTS),
    ("EventView", "source"): ("api", "agent", "launcher", "gateway", "github"),
}
"""By the names of the message and of its field."""
