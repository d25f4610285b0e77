"""`slipgate snapshot check`: what Daytona shows of a snapshot, and with --live what is inside."""

from dataclasses import dataclass

from launcher.doctor.check import Check, all_ok, failed, ok
from launcher.doctor.snapshot import check_snapshot
from launcher.doctor.trial import Trial, TrialContext, run_trial
from launcher.providers.daytona.api import DaytonaApi
from launcher.providers.daytona.api_client import DaytonaApiClient
from launcher.providers.daytona.sandboxes import CreateOptions
from launcher.settings import DaytonaSettings
from launcher.snapshots.names import next_name

TTL_MINUTES = 15
"""What nobody deletes is ended by Daytona."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """At one snapshot."""

    http: DaytonaApiClient
    daytona: DaytonaSettings
    digest: str
    """Of the scripts of here."""
    trials_context: TrialContext

    async def outside(self, name: str) -> list[Check]:
        """For nothing."""
        return await check_snapshot(self.http, name, digest=self.digest, target=self.daytona.target)

    async def inside(self, name: str) -> list[Check]:
        """By a sandbox that lives for a moment."""
        options = CreateOptions(target=self.daytona.target, ttl_minutes=TTL_MINUTES)
        provider = DaytonaApi(self.http, realm="", options=options)
        return list(self._reported(await run_trial(provider, name, self.trials_context)))

    async def whole(self, name: str, *, live: bool) -> list[Check]:
        """What is outside; then, if that is well, what is inside."""
        checks = await self.outside(name)
        if live and all_ok(checks):
            checks += await self.inside(name)
        return checks

    def _reported(self, trial: Trial) -> list[Check]:
        checks = [self._scripts(trial)]
        if not trial.is_deleted:
            advice = f"Delete {trial.name} by hand; the next look tries it again."
            checks.append(failed("clean-up", f"{trial.name} could not be deleted", advice))
        return checks

    def _scripts(self, trial: Trial) -> Check:
        name = "inside"
        again = f"`slipgate snapshot build {next_name(trial.asked or '')}`, and name that one."
        if trial.error is not None:
            return failed(name, trial.error, "Mend that first.")
        if trial.got != trial.asked:
            advice = "`slipgate doctor --live` makes a report for Daytona's support of it."
            return failed(name, f"asked for {trial.asked}, got {trial.got or 'none'}", advice)
        if trial.scripts is None:
            result = "says not which scripts it runs" if trial.entrypoint_ran else "prints nothing"
            return failed(name, f"its entrypoint {result}: it is not slipgate's of today", again)
        if trial.scripts != self.digest:
            there, here = trial.scripts[:12], self.digest[:12]
            return failed(name, f"other scripts ({there}) than there are here ({here})", again)
        return ok(name, f"a sandbox ran the scripts of here, {trial.started_seconds} s to start")
