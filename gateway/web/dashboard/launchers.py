"""`/dashboard/launchers`: who creates sandboxes, those that live, and those that nobody wants."""

from collections.abc import Mapping
from typing import Final

from gateway.web.dashboard.page import Page, Visit, action
from gateway.web.dashboard.sandboxes import living_sandboxes
from gateway.web.http.fields import wrong_field
from gateway.web.http.operation import Handled
from gateway.web.launching import launchers, sweeps

VERBS: Final[Mapping[str, Handled]] = {
    "drain": launchers.drain,
    "resume": launchers.resume,
    "revoke": launchers.revoke,
}


@Page(template="launchers.html")
async def show(visit: Visit) -> Mapping[str, object]:
    found = await visit.api.read(launchers.page)
    return {
        "launchers": found["data"],
        "sweeps": (await visit.api.read(sweeps.show))["data"],
        **await living_sandboxes(visit),
    }


@action
async def decide(visit: Visit) -> str:
    """Drains or revokes a launcher, or lets it work again."""
    verb = visit.form.get("verb", "")
    operation = VERBS.get(verb)
    if operation is None:
        raise wrong_field("$.verb", f"Expected one of {', '.join(VERBS)}")
    body = {"reason": visit.form.get("reason", "")}
    await visit.api.change(operation, body, launcher_id=visit.path["launcher_id"])
    return f"/dashboard/launchers?done={verb}"


@action
async def sweep(visit: Visit) -> str:
    await visit.api.change(sweeps.begin)
    return "/dashboard/launchers?done=swept"
