"""Links to the portal: `POST /v1/portal-links`."""

from starlette.responses import Response

from gateway.domain.deliveries.commands import NotePortalLink
from gateway.domain.kernel.answers import Accepted
from gateway.domain.operations.api_key import key_digest
from gateway.web.http.access import TASKS
from gateway.web.http.call import Call
from gateway.web.http.operation import Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.web.portal.session import LINK, Pass, seal_pass
from gateway.wire.own_events import NewPortalLink, PortalLinkView
from gateway.wire.times import rfc3339


@Operation(
    id="createPortalLink",
    tag="Webhooks",
    summary="Let a customer manage its own endpoints",
    description=(
        "The link opens a page that shows the endpoints of this customer and their deliveries, and "
        "nothing else. Whoever has it may use it until it expires, or the API key that made it is "
        "revoked: give it to the customer alone."
    ),
    access=TASKS,
    body=Body(kind=NewPortalLink),
    answers=(answer(PortalLinkView, "The link.", status=201),),
)
async def create(call: Call[NewPortalLink]) -> Response:
    context, wanted, project = call.context, call.body, call.key.project
    ends_at = context.clock() + wanted.expires_in_seconds * 1_000
    command = NotePortalLink(project=project, customer=wanted.customer, ends_at=ends_at)
    await call.ask(command, Accepted)
    digest = key_digest(call.headers["authorization"].partition(" ")[2])
    token = seal_pass(context, LINK, Pass(digest, project, wanted.customer, ends_at))
    base = (context.public_url or str(call.request.base_url)).rstrip("/")
    link = PortalLinkView(
        url=f"{base}/portal?token={token}",
        customer=wanted.customer,
        expires_at=rfc3339(ends_at),
    )
    return reply(link, 201)
