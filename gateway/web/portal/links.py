"""Links to the portal: create, expire."""

from functools import partial
from typing import Final

from starlette.responses import Response

from gateway.domain.deliveries.portal import ExpirePortalLinks, NotePortalLink, PortalReply
from gateway.domain.operations.api_key import key_digest
from gateway.web.http.access import TASKS
from gateway.web.http.call import Call
from gateway.web.http.operation import Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.web.portal.session import LINK, PortalTicket, seal_ticket
from gateway.wire import own_events as wire
from gateway.wire.own_events import ExpiredPortalLinks, NewPortalLink, PortalLinkView
from gateway.wire.times import rfc3339

operation: Final = partial(Operation, tag="Webhooks", access=TASKS)


@operation(
    id="createPortalLink",
    summary="Let a customer manage its own endpoints",
    description=(
        "The link opens a page that shows the endpoints of this customer and their deliveries, and "
        "nothing else. Whoever has it may use it until it expires, or the API key that made it is "
        "revoked: give it to the customer alone."
    ),
    body=Body(kind=NewPortalLink),
    answers=(answer(PortalLinkView, "The link.", status=201),),
)
async def create(call: Call[NewPortalLink]) -> Response:
    context, wanted, project = call.context, call.body, call.key.project
    ends_at = context.clock() + wanted.expires_in_seconds * 1_000
    command = NotePortalLink(project=project, customer=wanted.customer, ends_at=ends_at)
    noted = await call.ask(command, PortalReply)
    digest = key_digest(call.headers["authorization"].partition(" ")[2])
    generation = noted.portal.generation
    token = seal_ticket(
        context, LINK, PortalTicket(digest, project, wanted.customer, ends_at, generation)
    )
    base = (context.public_url or str(call.request.base_url)).rstrip("/")
    link = PortalLinkView(
        url=f"{base}/portal?token={token}",
        customer=wanted.customer,
        expires_at=rfc3339(ends_at),
    )
    return reply(link, 201)


@operation(
    id="expirePortalLinks",
    summary="End all links of a customer to its portal",
    description=(
        "Links and sessions that were made until then open nothing any more, at every gateway. "
        "Endpoints and deliveries stay as they are, and the next link works."
    ),
    body=Body(kind=wire.ExpirePortalLinks),
    answers=(answer(ExpiredPortalLinks, "They are ended; or, with `dryRun`, would be."),),
)
async def expire_all(call: Call[wire.ExpirePortalLinks]) -> Response:
    customer = call.body.customer
    await call.ask(ExpirePortalLinks(project=call.key.project, customer=customer), PortalReply)
    return reply(ExpiredPortalLinks(customer=customer, expired=not call.is_dry_run))
