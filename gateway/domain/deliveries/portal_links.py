"""Rules for links to portals: note, expire."""

from msgspec.structs import replace

from gateway.domain.deliveries.portal import (
    ExpirePortalLinks,
    NotePortalLink,
    Portal,
    PortalReply,
)
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.wire.times import rfc3339


def note(unit: UnitOfWork, command: NotePortalLink, _now: int) -> PortalReply:
    """Keeps in the audit log who has let a customer in."""
    expires_at = rfc3339(command.ends_at)
    unit.audit.emit("portal_link.created", command.customer, command.project, expires_at=expires_at)
    return PortalReply(portal=_portal(unit, command.project, command.customer))


def expire(unit: UnitOfWork, command: ExpirePortalLinks, _now: int) -> PortalReply:
    """Ends all links and sessions that there are."""
    before = _portal(unit, command.project, command.customer)
    portal = replace(before, generation=before.generation + 1)
    unit.portals.put(portal)
    unit.audit.emit("portal_links.expired", command.customer, command.project)
    return PortalReply(portal=portal)


def _portal(unit: UnitOfWork, project: str, customer: str) -> Portal:
    return unit.portals.get((project, customer)) or Portal(project=project, customer=customer)
