"""`slipgate endpoints replay` and `replayed`: deliveries of a period, sent again."""

from typing import Annotated

import typer

from gateway.cli.console.output import AsJson
from gateway.cli.console.terminal import out
from gateway.cli.http.client import change_of, open_client, present
from gateway.cli.http.options import Reason
from gateway.cli.http.paths import EndpointId, endpoint_path, path_part
from gateway.wire.endpoints import ReplayView


def replay(
    endpoint_id: EndpointId,
    since: Annotated[str, typer.Option(help="such as 2026-01-31T12:00:00Z")],
    until: Annotated[str | None, typer.Option(help="a moment; default: now")] = None,
    only_failed: Annotated[
        bool, typer.Option("--only-failed", help="only what did not arrive")
    ] = False,
    reason: Reason = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count them")] = False,
    as_json: AsJson = False,
) -> None:
    """Send the deliveries of a period again, in the background.

    Example: slipgate endpoints replay ep_01k… --since=2026-01-31T12:00:00Z --only-failed
    """
    wanted = change_of(reason, is_dry_run=dry_run, since=since, until=until, onlyFailed=only_failed)
    with open_client() as client:
        answer = client.post(f"{endpoint_path(endpoint_id)}/replay", wanted)
    present(ReplayView, answer, _print_replay, as_json=as_json)


def _print_replay(job: ReplayView) -> None:
    out.print(f"{job.id} {job.status}: see `slipgate endpoints replayed {job.id}`")


def replayed(
    replay_id: Annotated[str, typer.Argument(metavar="ID", help="rpl_…")], as_json: AsJson = False
) -> None:
    """Show the progress of a replay.

    Example: slipgate endpoints replayed rpl_01k…
    """
    with open_client() as client:
        answer = client.get(f"/v1/replays/{path_part(replay_id, of='endpoints replay')}")
    present(ReplayView, answer, _print_progress, as_json=as_json)


def _print_progress(job: ReplayView) -> None:
    out.print(f"{job.id} {job.status}: {job.matched} deliveries so far")
