"""Checks the GitHub App: if GitHub takes its id and key, and if it may do what tasks need."""

from typing import Final

from launcher.doctor.report import Check, failed, ok, warning
from launcher.egress import DIRECT, Egress
from launcher.github import open_github
from launcher.github_app import CHECKS, NEEDED, WORKFLOWS, AppView, GitHubApp, covers
from launcher.providers.protocol import ProviderError
from launcher.settings import GitHubAppSettings

NAME: Final = "GitHub App"
_GRANT: Final = "Grant it on the App's page, Permissions & events; its installations then accept it"


async def check_github_app(settings: GitHubAppSettings, *, egress: Egress = DIRECT) -> Check:
    async with open_github(settings.api_url, egress=egress) as http:
        try:
            app = await GitHubApp(http, settings).app()
        except ProviderError as error:
            if error.retryable:
                advice = "Look at GITHUB_API_URL, and the network's way out."
                return warning(NAME, f"{settings.api_url}: {error.message}", advice)
            advice = "Look at SLIPGATE_GITHUB_APP_ID, its private key and GITHUB_API_URL."
            return failed(NAME, error.message, advice)
    return _judged(app, settings)


def _judged(app: AppView, settings: GitHubAppSettings) -> Check:
    lacking = _lacking(app, NEEDED)
    if lacking:
        return failed(NAME, f"{app.name} has no permission {lacking}", f"{_GRANT}.")
    if app.installations_count == 0:
        advice = "Install it where the repositories of tasks are: its page, Install App."
        return failed(NAME, f"{app.name} is installed nowhere", advice)
    wished = dict([CHECKS, *([WORKFLOWS] if settings.may_change_workflows else [])])
    lacking = _lacking(app, wished)
    if lacking:
        return warning(NAME, f"{app.name} has no permission {lacking}", f"{_GRANT}.")
    return ok(NAME, f"{app.name}, {app.installations_count} installations")


def _lacking(app: AppView, wanted: dict[str, str]) -> str:
    lacking = (
        f"{name}: {level}"
        for name, level in wanted.items()
        if not covers(app.permissions.get(name), level)
    )
    return ", ".join(lacking)
