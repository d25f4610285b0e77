"""Portals: the pages of customers, and the links that open them."""

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.read_set import Command, ReadSet
from gateway.domain.tasks.task import Frozen

CustomerKey = tuple[str, str]
"""(project, customer)."""


class Portal(Frozen, frozen=True, kw_only=True):
    """The portal of a customer."""

    project: str
    customer: str
    generation: int = 0
    """Of the links that open it: those of an earlier one are ended."""


class NotePortalLink(Command, frozen=True, kw_only=True):
    """`POST /v1/portal-links`: the link itself is nowhere stored."""

    project: str
    customer: str
    ends_at: int
    """Milliseconds."""

    @property
    def needs(self) -> ReadSet:
        return ReadSet(portals=((self.project, self.customer),))


class ExpirePortalLinks(Command, frozen=True, kw_only=True):
    """`POST /v1/portal-links/expire-all`."""

    project: str
    customer: str

    @property
    def needs(self) -> ReadSet:
        return ReadSet(portals=((self.project, self.customer),))


class PortalReply(Answer, frozen=True, kw_only=True):
    """The portal after the command."""

    portal: Portal
