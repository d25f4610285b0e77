"""The stand-in cloud of Daytona and a launcher, on one simulated clock."""

from typing import Any

import structlog

from gateway.wire.launcher import Job, JobKind
from tests.daytona.api import Api
from tests.daytona.organisation import ORGANISATION
from tests.launcher.clock import Time
from tests.launcher.jobs import a_job

LOG: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
    structlog.testing.CapturingLogger(), processors=[]
)
REALM = f"app.daytona.io/{ORGANISATION}"


def job(kind: JobKind, **fields: Any) -> Job:
    """A job whose lease needs no renewal."""
    return a_job(kind, lease_seconds=36_000, **fields)


class World:
    """The cloud and the launcher on one simulated clock."""

    def __init__(self, api: Api, time: Time) -> None:
        self.api = api
        self.time = time

    @property
    def alive(self) -> list[str]:
        """Names of the sandboxes that are not being deleted."""
        return [each.name for each in self.api.organisation.living()]
