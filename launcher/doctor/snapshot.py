"""Checks a snapshot: its state, entrypoint, scripts and regions, and a sandbox made from it."""

from collections.abc import Mapping
from typing import Final

from launcher.doctor.report import Check, failed, ok, warning
from launcher.doctor.trial import Trial
from launcher.providers.daytona.api_client import DaytonaApiClient, segment
from launcher.providers.daytona.schema import Snapshot
from launcher.providers.protocol import ProviderError
from launcher.snapshots.names import next_name
from launcher.snapshots.scripts import ENTRYPOINT, Variant, find_digest, find_variant

HOLDS: Final[Mapping[Variant, str]] = {
    "slim": "Python, Node, the agent mini",
    "full": "Python, Node, Go, Rust, Java, Ruby, PHP, Elixir; also Claude Code, Codex, opencode",
}
IDLE: Final = ("sleep", "infinity")
"""Daytona's default for a Dockerfile without an ENTRYPOINT that it understands."""


async def check_snapshot(
    http: DaytonaApiClient,
    name: str,
    *,
    digest: str,
    target: str | None,
    needs_full: bool = False,
) -> list[Check]:
    try:
        found = await http.find(f"/snapshots/{segment(name)}", Snapshot)
    except ProviderError as error:
        return [failed("snapshot", error.message, "Look at DAYTONA_API_KEY and DAYTONA_API_URL.")]
    if found is None:
        return [failed("snapshot", f"there is no {name}", f"`slipgate snapshot build {name}`.")]
    return [
        _state(found),
        _entrypoint(found),
        _scripts(found, digest),
        *_image(found, needs_full=needs_full),
        *_region(found, target),
    ]


def check_trial(trial: Trial, digest: str) -> list[Check]:
    """Checks a sandbox made from the snapshot; `digest` is that of the scripts in this release."""
    checks = [_inside(trial, digest)]
    if not trial.is_deleted:
        advice = f"Delete {trial.name} by hand; the next look tries it again."
        checks.append(failed("clean-up", f"{trial.name} could not be deleted", advice))
    return checks


def _inside(trial: Trial, digest: str) -> Check:
    name = "inside"
    again = f"`slipgate snapshot build {next_name(trial.asked or '')}`, and name that one."
    if trial.error is not None:
        return failed(name, trial.error, "Fix that first.")
    if trial.got != trial.asked:
        advice = "`slipgate doctor --live` makes a report for Daytona's support of it."
        return failed(name, f"asked for {trial.asked}, got {trial.got or 'none'}", advice)
    if trial.scripts is None:
        output = "says not which scripts it runs" if trial.entrypoint_ran else "prints nothing"
        return failed(name, f"its entrypoint {output}: it is not slipgate's of today", again)
    if trial.scripts != digest:
        there, here = trial.scripts[:12], digest[:12]
        return failed(name, f"other scripts ({there}) than there are here ({here})", again)
    return ok(name, f"a sandbox ran the scripts of here, {trial.started_seconds} s to start")


def _state(found: Snapshot) -> Check:
    name = "snapshot"
    if found.state == "active":
        return ok(name, f"{found.name} is active")
    if found.state == "inactive":
        return failed(
            name,
            f"{found.name} is inactive: Daytona deactivates it after two weeks without use",
            f"`slipgate snapshot check {found.name} --activate`.",
        )
    if found.is_transient:
        return failed(name, f"{found.name} is {found.state}", "Wait until it is active.")
    why = f": {found.error_reason}" if found.error_reason else ""
    return failed(
        name,
        f"{found.name} is {found.state}{why}",
        f"`daytona snapshot delete {found.name}`, then `slipgate snapshot build {found.name}`.",
    )


def _entrypoint(found: Snapshot) -> Check:
    name, words = "entrypoint", found.entrypoint or ()
    shown = " ".join(words) or "none"
    again = f"Build it anew: `slipgate snapshot build {next_name(found.name)}`."
    if words in {(), IDLE}:
        return failed(
            name,
            f"{found.name} starts {shown}: no agent ever runs",
            f"Daytona reads neither CMD nor an ENTRYPOINT of the base. {again}",
        )
    if len(words) == 1 and " " in words[0]:
        return failed(
            name,
            f"{found.name} starts one word with spaces in it: {shown!r}",
            f"The JSON form on one line works, the string form does not. {again}",
        )
    if words[: len(ENTRYPOINT)] != ENTRYPOINT:
        advice = f"An agent of your own may be meant; slipgate's starts by {' '.join(ENTRYPOINT)}."
        return warning(name, f"{found.name} starts {shown}", advice)
    return ok(name, " ".join(ENTRYPOINT))


def _scripts(found: Snapshot, digest: str) -> Check:
    name, theirs = "scripts", find_digest(found.entrypoint or ())
    if theirs is None:
        return warning(
            name,
            f"{found.name} does not say which scripts it holds",
            f"`slipgate snapshot check {found.name} --live` looks inside one sandbox; what "
            "`slipgate snapshot build` makes says so by itself.",
        )
    if theirs != digest:
        return failed(
            name,
            f"{found.name} holds other scripts ({theirs[:12]}) than there are here ({digest[:12]})",
            f"`slipgate snapshot build {next_name(found.name)}`, then name that one: a snapshot "
            "never changes.",
        )
    return ok(name, f"those of here ({digest[:12]})")


def _image(found: Snapshot, *, needs_full: bool) -> list[Check]:
    name, words = "image", found.entrypoint or ()
    if find_digest(words) is None:
        return []
    variant = find_variant(words)
    if needs_full and variant != "full":
        advice = f"`slipgate snapshot build {next_name(found.name)} --full`."
        return [failed(name, f"{found.name} has the slim image", advice)]
    return [ok(name, f"{variant}: {HOLDS[variant]}")]


def _region(found: Snapshot, target: str | None) -> list[Check]:
    if target is None:
        return [ok("region", "DAYTONA_TARGET is not set: the organisation's own")]
    if found.region_ids is None:
        return [ok("region", f"{target}; the API does not tell where {found.name} is")]
    if target in found.region_ids:
        return [ok("region", f"{found.name} is in {target}")]
    there = ", ".join(found.region_ids) or "none"
    advice = f"Set DAYTONA_TARGET to one of them, or `slipgate snapshot build` it for {target}."
    return [failed("region", f"{found.name} is not in {target}, but in {there}", advice)]
