"""`/v1/switches`: pauses of intake, launching and delivering."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from starlette.responses import Response

from gateway.domain.operations.switch_changes import SetSwitches, SwitchesReply
from gateway.domain.operations.switches import ALL, SWITCHES, Pause, Switch
from gateway.web.convert import convert
from gateway.web.http.access import OPS
from gateway.web.http.call import Call
from gateway.web.http.fields import to_millis, wrong_field
from gateway.web.http.operation import Body, Operation, answer
from gateway.web.http.query import Text
from gateway.web.http.replies import reply
from gateway.wire.switches import SwitchChange, SwitchesView, SwitchView
from gateway.wire.times import maybe_rfc3339, rfc3339

PROJECT: Final = Text(name="project", meaning="Leave out what is paused for other projects alone.")
operation: Final = partial(Operation, tag="Operations", access=OPS)


@operation(
    id="showSwitches",
    summary="Show what is paused, since when, by whom and why",
    description=(
        "The three switches for all projects, and what is paused for single projects and providers."
    ),
    query=(PROJECT,),
    answers=(answer(SwitchesView, "The switches of all projects, and pauses of single ones."),),
)
async def show(call: Call[None]) -> Response:
    pauses = await call.context.reads.pauses(call.context.clock())
    return reply(_view(pauses, call[PROJECT]))


@operation(
    id="setSwitches",
    summary="Pause or resume intake, launching or delivering",
    description=(
        "For all projects, or for `project` alone; launching also at one `provider`, where the "
        "gateway itself pauses it after five launches in a row that failed for the provider's own "
        "cause, until a probe succeeds. Paused intake refuses new tasks with 503 "
        "`intake_paused`; paused launching leaves tasks in the queue, whose clock stands still; "
        "paused delivering keeps webhooks, without counting attempts. Work that runs goes on. "
        "Idempotent: the same again gives the pause another reason and another end."
    ),
    body=Body(kind=SwitchChange),
    answers=(answer(SwitchesView, "The switches as they now stand."),),
)
async def change(call: Call[SwitchChange]) -> Response:
    wanted, now = call.body, call.context.clock()
    paused, resumed = _named(wanted, "paused"), _named(wanted, "on")
    if not paused and not resumed:
        raise wrong_field("$", f"Expected one of {', '.join(SWITCHES)}")
    until = None if wanted.until is None else to_millis(wanted.until, "$.until")
    if until is not None and (until <= now or not paused):
        raise wrong_field("$.until", "Expected a moment to come, and a switch that is paused")
    if wanted.provider is not None and (*paused, *resumed) != ("launching",):
        raise wrong_field("$.provider", "Expected `launching` alone: the others have no provider")
    command = SetSwitches(
        paused=paused,
        resumed=resumed,
        project=wanted.project or ALL,
        provider=wanted.provider or "",
        until=until,
        reason=wanted.reason,
    )
    answer = await call.ask(command, SwitchesReply)
    return reply(_view(answer.pauses, wanted.project))


def _named(wanted: SwitchChange, state: str) -> tuple[Switch, ...]:
    return tuple(name for name in SWITCHES if getattr(wanted, name) == state)


def _view(pauses: Sequence[Pause], project: str | None) -> SwitchesView:
    whole = {pause.switch: pause for pause in pauses if pause.is_whole}
    own = (
        pause
        for pause in pauses
        if not pause.is_whole and (project is None or pause.concerns(project))
    )
    return SwitchesView(
        data=(*(_switch(name, whole.get(name)) for name in SWITCHES), *map(_pause, own))
    )


def _switch(name: Switch, pause: Pause | None) -> SwitchView:
    if pause is not None:
        return _pause(pause)
    return SwitchView(
        name=name,
        state="on",
        project=None,
        since=None,
        until=None,
        reason=None,
        actor=None,
        provider=None,
        probe_at=None,
    )


def _pause(pause: Pause) -> SwitchView:
    return convert(
        SwitchView,
        pause,
        name=pause.switch,
        state="paused",
        project=pause.project or None,
        provider=pause.provider or None,
        probe_at=maybe_rfc3339(pause.probe_at),
        since=rfc3339(pause.since),
        until=maybe_rfc3339(pause.until),
    )
