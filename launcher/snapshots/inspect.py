"""`slipgate snapshot check`: the state of a snapshot, and with --live a sandbox made from it."""

from dataclasses import dataclass

from launcher.doctor.report import Check, all_ok, failed, ok
from launcher.doctor.snapshot import check_snapshot
from launcher.doctor.trial import TTL_MINUTES, Trial, TrialRunner
from launcher.providers.daytona.api import DaytonaApi
from launcher.providers.daytona.api_client import DaytonaApiClient
from launcher.providers.daytona.sandboxes import CreateOptions
from launcher.settings import DaytonaSettings
from launcher.snapshots.names import next_name


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotInspector:
    http: DaytonaApiClient
    daytona: DaytonaSettings
    digest: str
    """Of the scripts in this release."""
    runner: TrialRunner

    async def inspect(self, name: str, *, live: bool) -> list[Check]:
        """A sandbox is made only if all else is well."""
        target = self.daytona.target
        checks = await check_snapshot(self.http, name, digest=self.digest, target=target)
        if live and all_ok(checks):
            options = CreateOptions(target=target, ttl_minutes=TTL_MINUTES)
            provider = DaytonaApi(self.http, realm="", options=options)
            trial = await self.runner.run(provider, name)
            checks.append(self._scripts(trial))
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
            output = "says not which scripts it runs" if trial.entrypoint_ran else "prints nothing"
            return failed(name, f"its entrypoint {output}: it is not slipgate's of today", again)
        if trial.scripts != self.digest:
            there, here = trial.scripts[:12], self.digest[:12]
            return failed(name, f"other scripts ({there}) than there are here ({here})", again)
        return ok(name, f"a sandbox ran the scripts of here, {trial.started_seconds} s to start")
