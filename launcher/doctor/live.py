"""`slipgate doctor --live`: one sandbox per provider of the chain."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

from launcher.doctor.report import Check, failed, ok, print_error, warning
from launcher.doctor.support_report import CreateResponses, support_report
from launcher.doctor.trial import TTL_MINUTES, Trial, TrialRunner
from launcher.providers.factory import open_providers
from launcher.providers.github_actions import GitHubActions
from launcher.providers.protocol import ProviderError
from launcher.settings import DAYTONA, Settings


@dataclass(kw_only=True, slots=True)
class LiveCheck:
    settings: Settings
    environ: Mapping[str, str]
    snapshot: str | None
    runner: TrialRunner = field(default_factory=lambda: TrialRunner(log=print_error))
    trials: list[Trial] = field(default_factory=list)
    responses: CreateResponses = field(default_factory=CreateResponses)
    realm: str = ""

    async def run(self) -> AsyncIterator[Check]:
        """Tries one provider after the other."""
        for name in self.settings.providers:
            if name == GitHubActions.name:
                message = "not tried: its sandboxes are made by the workflow's launcher"
                advice = "Run `slipgate doctor --live` where Daytona's key is."
                yield warning(f"live {name}", message, advice)
                continue
            for check in await self._try(name):
                yield check

    @property
    def support_report(self) -> str:
        """For Daytona's support; empty if no sandbox of Daytona was tried."""
        url = self.settings.daytona.api_url if self.settings.daytona else ""
        return support_report(self.trials, self.responses.lines, url, self.realm)

    async def _try(self, name: str) -> list[Check]:
        daytona = self.settings.daytona
        if daytona is not None:
            create = replace(daytona.create, ttl_minutes=TTL_MINUTES, secrets={})
            daytona = replace(daytona, create=create)
        settings = replace(self.settings, providers=(name,), daytona=daytona, forwarded_env={})
        try:
            async with open_providers(
                settings, self.environ, on_response=self.responses.add
            ) as providers:
                (provider,) = providers
                if name in DAYTONA:
                    self.realm = provider.realm
                trial = await self.runner.run(provider, self.snapshot)
        except ProviderError as error:
            return [failed(f"live {name}", error.message, "Look at the checks above.")]
        self.trials.append(trial)
        return _checks(f"live {trial.provider}", trial)


def _checks(name: str, trial: Trial) -> list[Check]:
    inside = [_snapshot(name, trial), _inside(name, trial)] if trial.sandbox_id else []
    return [_created(name, trial), *inside, _deleted(name, trial)]


def _created(name: str, trial: Trial) -> Check:
    if trial.error is not None:
        return failed(name, trial.error, "The report below holds what Daytona's support needs.")
    times = f"created after {trial.created_seconds} s, started after {trial.started_seconds} s"
    return ok(name, times)


def _snapshot(name: str, trial: Trial) -> Check:
    if trial.asked is None or trial.got == trial.asked:
        return ok(name, f"asked for {trial.asked or 'no snapshot'}, got {trial.got or 'none'}")
    return failed(
        name,
        f"asked for {trial.asked}, got {trial.got or 'none'}: the snapshot was ignored",
        "The launcher destroys such a sandbox and tries the next provider of SLIPGATE_PROVIDERS; "
        "send the report below to Daytona's support.",
    )


def _inside(name: str, trial: Trial) -> Check:
    if trial.scripts is not None:
        return ok(name, f"the entrypoint ran, scripts {trial.scripts[:12]}")
    if trial.entrypoint_ran:
        advice = "An agent of your own may be meant; slipgate's says first which scripts it runs."
        return warning(name, "the entrypoint ran; it is not slipgate's", advice)
    advice = "`slipgate snapshot check NAME` shows what it starts."
    return failed(name, "the entrypoint has printed nothing: no agent would run", advice)


def _deleted(name: str, trial: Trial) -> Check:
    if trial.is_deleted:
        is_made = trial.sandbox_id is not None
        return ok(name, "deleted, and confirmed to be gone" if is_made else "nothing is left of it")
    advice = f"Delete {trial.name} by hand; the next `slipgate doctor --live` tries it again."
    return failed(name, f"{trial.name} could not be deleted", advice)
