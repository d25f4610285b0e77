"""The answer to a message of a service."""

from starlette.responses import Response

from gateway.domain.sources.message import NoticeReply
from gateway.web.http.replies import reply
from gateway.wire.sources import Received


def result(done: NoticeReply) -> Response:
    """202, or 200 for what came before."""
    told = Received(
        accepted=True, applied=done.applied, reason=done.reason, duplicate=done.duplicate
    )
    return reply(told, 200 if done.duplicate else 202)
