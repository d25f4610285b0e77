"""`slipgate switches`: pauses and resumes intake, launching and delivering."""

from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, one_line
from gateway.cli.console.terminal import out
from gateway.cli.console.times import now, seconds, zoned
from gateway.cli.http.client import change_of, open_client, present
from gateway.cli.http.options import DryRun
from gateway.wire.switches import SwitchesView, SwitchView
from gateway.wire.times import rfc3339

switches: Final = typer.Typer(
    no_args_is_help=True,
    help="Pause and resume intake, launching or delivering.\n\nExample: slipgate switches show",
)

Names = Annotated[
    list[str], typer.Argument(metavar="SWITCH…", help="intake, launching or delivering; several")
]
Provider = Annotated[
    str | None, typer.Option(help="launching at this provider alone: name, or name@realm")
]
Project = Annotated[str | None, typer.Option(help="only this project; without it, all")]


@switches.command()
def show(project: Project = None, as_json: AsJson = False) -> None:
    """Show what is paused, since when, by whom and why; needs an ops key.

    Example: slipgate switches show --json

    Example: slipgate switches show --project=web
    """
    with open_client() as client:
        answer = client.get("/v1/switches", project=project)
    present(SwitchesView, answer, _print, as_json=as_json)


@switches.command()
def pause(
    names: Names,
    reason: Annotated[str, typer.Option(help="why; people who wait are told")],
    project: Project = None,
    provider: Provider = None,
    until: Annotated[
        str | None, typer.Option(help="go on by itself then: 2026-01-31T12:00:00Z")
    ] = None,
    period: Annotated[
        int | None,
        typer.Option("--for", parser=seconds, metavar="TIME", help="go on by itself after 30m, 2h"),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Pause one or more switches; needs an ops key.

    Example: slipgate switches pause launching --reason="provider is down" --for=30m

    Example: slipgate switches pause intake launching --reason="upgrade" --project=web --dry-run
    """
    if until and period is not None:
        raise typer.BadParameter("give --until or --for, not both", param_hint="--for")
    end = until if period is None else rfc3339(now() + period * 1000)
    body = change_of(reason, is_dry_run=dry_run, project=project, provider=provider, until=end)
    _change(dict.fromkeys(names, "paused") | body, as_json=as_json)


@switches.command()
def resume(
    names: Names,
    reason: Annotated[str, typer.Option(help="why")] = "resumed",
    project: Project = None,
    provider: Provider = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Resume one or more switches; needs an ops key.

    Example: slipgate switches resume launching

    Example: slipgate switches resume launching --provider=daytona-api
    """
    body = change_of(reason, is_dry_run=dry_run, project=project, provider=provider)
    _change(dict.fromkeys(names, "on") | body, as_json=as_json)


def _change(body: dict[str, object], *, as_json: bool) -> None:
    with open_client() as client:
        answer = client.call("PUT", "/v1/switches", body)
    present(SwitchesView, answer, _print, as_json=as_json, is_dry_run="dryRun" in body)


def _print(found: SwitchesView) -> None:
    for switch in found.data:
        _print_switch(switch)


def _print_switch(switch: SwitchView) -> None:
    scope = f" of project {switch.project}" if switch.project else ""
    scope += f" at {switch.provider}" if switch.provider else ""
    if switch.state == "on":
        out.print(f"{switch.name}  on", style="green")
        return
    end = f"until {zoned(switch.until)}" if switch.until else "until somebody resumes it"
    if switch.probe_at:
        end = f"until a launch succeeds, the next at {zoned(switch.probe_at)}"
    out.print(one_line(f"{switch.name}{scope}  paused"), style="bold red", end="")
    since = zoned(switch.since)
    out.print(one_line(f"  since {since} by {switch.actor}, {end}: {switch.reason}"))
