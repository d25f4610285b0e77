"""The operations of the HTTP API that a customer may call, each on its own endpoints alone.

One check for all: an operation that is not named here is refused, an endpoint or a delivery of
anybody else is not found, and lists and new endpoints are those of the session's customer.
"""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.kernel.errors import ApiError
from gateway.web.context import Context
from gateway.web.dashboard.api import Api, Json, Values
from gateway.web.dashboard.forms import Sent
from gateway.web.deliveries import (
    deliveries,
    endpoint_secrets,
    endpoints,
    event_types,
    replays,
)
from gateway.web.http.operation import Handled
from gateway.web.portal.session import PortalKey

LISTS: Final = (endpoints.page, deliveries.page)
"""Lists, of which a customer sees its own rows."""
OF_ENDPOINT: Final = (
    *(endpoints.show, endpoints.update, endpoints.delete, endpoints.enable, endpoints.disable),
    *(endpoint_secrets.rotate, endpoint_secrets.test, replays.start),
)
OF_DELIVERY: Final = (deliveries.show, deliveries.retry)
ALLOWED: Final = (*LISTS, *OF_ENDPOINT, *OF_DELIVERY, endpoints.create, event_types.page)


class PortalApi(Api):
    """Calls operations for one customer."""

    def __init__(self, request: Request, context: Context, key: PortalKey) -> None:
        super().__init__(request, context, key)
        self._reads = context.reads
        self._customer = key

    def may(self, handled: Handled) -> bool:
        """True for the operations that are named here."""
        return any(handled is each for each in ALLOWED)

    async def create(self, form: Sent, *, name: str) -> Json:
        """A new endpoint of the customer, with its secret."""
        body = _chosen(form) | {
            "project": self._customer.project,
            "customer": self._customer.customer,
        }
        return await self.change(endpoints.create, body, name=name)

    async def update(self, form: Sent, endpoint_id: str) -> Json:
        """Changes an endpoint of the customer."""
        return await self.change(endpoints.update, _chosen(form), endpoint_id=endpoint_id)

    async def _send(
        self,
        handled: Handled,
        method: str,
        query: Values,
        path: Mapping[str, str],
        *,
        body: object,
        name: str = "",
    ) -> Response:
        self.check(handled)
        if handled in OF_ENDPOINT:
            await self._check_owner(path["endpoint_id"])
        if handled in OF_DELIVERY:
            endpoint_id, _ = deliveries.parts_of(path["delivery_id"])
            await self._check_owner(endpoint_id)
        if handled in LISTS:
            query = dict(query) | {"customer": self._customer.customer}
        if handled is endpoints.page:
            query = dict(query) | {"project": self._customer.project}
        return await super()._send(handled, method, query, path, body=body, name=name)

    async def _check_owner(self, endpoint_id: str) -> None:
        endpoint = await self._reads.endpoints.find(endpoint_id)
        if endpoint is None or not self._owns(endpoint):
            raise ApiError("not_found", "There is no such endpoint.")

    def _owns(self, endpoint: Endpoint) -> bool:
        key = self._customer
        return (endpoint.project, endpoint.customer) == (key.project, key.customer)


def _chosen(form: Sent) -> dict[str, Any]:
    """The fields of an endpoint that a form brings; without a type it gets all."""
    body: dict[str, Any] = {"url": form["url"]} if form.get("url") else {}
    types = form.getlist("eventTypes") or None
    return body | {"eventTypes": types, "description": form.get("description") or None}
