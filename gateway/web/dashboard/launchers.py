"""`/dashboard/launchers`: who creates sandboxes, and sandboxes that nobody wants."""

from collections.abc import Mapping

from gateway.web.dashboard.page import Page, Visit, action
from gateway.web.launching import launchers, sweeps


@Page(template="launchers.html")
async def show(visit: Visit) -> Mapping[str, object]:
    found = await visit.api.read(launchers.page)
    return {
        "launchers": found["data"],
        "sweeps": (await visit.api.read(sweeps.show))["data"],
        "feed": "",
    }


@action
async def sweep(visit: Visit) -> str:
    await visit.api.change(sweeps.begin)
    return "/dashboard/launchers?done=swept"
