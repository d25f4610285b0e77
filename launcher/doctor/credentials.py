"""Checks the credentials of sandboxes: if they are accepted, and who else can read them."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from launcher.doctor.report import Check, failed, ok, warning
from launcher.github import classic_scopes
from launcher.settings import DaytonaSettings, Settings

SECONDS: Final = 10.0
GITHUB: Final = "https://api.github.com"
REFUSED: Final = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
TASK_SECRET: Final = "SLIPGATE_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
"""Signs for one attempt alone, and ends with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Service:
    """A model service, and a free read that only a valid key can make."""

    base: str
    path: str
    header: str = "authorization"
    prefix: str = "Bearer "


_SERVICES: Final = {
    "OPENAI": _Service(base="https://api.openai.com/v1", path="/models"),
    "ANTHROPIC": _Service(
        base="https://api.anthropic.com", path="/v1/models", header="x-api-key", prefix=""
    ),
    "GEMINI": _Service(
        base="https://generativelanguage.googleapis.com/v1beta/openai", path="/models"
    ),
    "OPENROUTER": _Service(base="https://openrouter.ai/api/v1", path="/key"),
}
DEFAULT: Final = "OPENAI"
"""Model service of tasks that name none."""


async def check_credentials(settings: Settings) -> AsyncIterator[Check]:
    secrets = settings.daytona.create.secrets if settings.daytona else {}
    async with settings.egress.client(timeout=SECONDS) as http:
        if settings.github_app is None or "GITHUB_TOKEN" in settings.forwarded_env:
            yield await _github(http, settings.forwarded_env, secrets)
        for prefix in _SERVICES:
            if settings.forwarded_env.get(f"{prefix}_API_KEY"):
                yield await _model(http, prefix, settings.forwarded_env)
    given = {*settings.forwarded_env, *secrets}
    if not any(f"{prefix}_API_KEY" in given for prefix in _SERVICES):
        yield warning(
            "model key",
            "the launcher has none: tasks that bring no key of their own fail",
            "Set the API key of one service (OPENAI_API_KEY, for one) for the launcher: in its "
            "environment or .env.launcher.",
        )
    elif f"{DEFAULT}_API_KEY" not in given:
        yield warning(
            "model key",
            f"there is no {DEFAULT}_API_KEY: tasks that name no modelProvider fail",
            "Set it, or name agent.modelProvider in every task.",
        )


async def _github(
    http: httpx.AsyncClient, forwarded_env: Mapping[str, str], secrets: Mapping[str, str]
) -> Check:
    name = "GitHub token"
    token = forwarded_env.get("GITHUB_TOKEN")
    if token is None:
        given = "a Daytona Secret, with which git cannot push" if "GITHUB_TOKEN" in secrets else ""
        message = f"the launcher hands over {given or 'none: no pull request is opened'}"
        advice = (
            "Set GITHUB_TOKEN, in the launcher's environment or .env.launcher, to one that may "
            "write contents and pull requests."
        )
        return warning(name, message, advice)
    url = forwarded_env.get("GITHUB_API_URL") or GITHUB
    answer = await _ask(http, f"{url.rstrip('/')}/rate_limit", "authorization", f"Bearer {token}")
    if answer is None:
        return warning(name, f"{url} does not answer from here", "Look at the network's way out.")
    if answer.status_code in REFUSED:
        advice = "Make one that may write contents and pull requests; look whether it has expired."
        return failed(name, f"{url} refuses GITHUB_TOKEN (HTTP {answer.status_code})", advice)
    scopes = classic_scopes(answer)
    if scopes and not scopes & {"repo", "public_repo"}:
        advice = "Give it the scope repo, or make a fine-grained one."
        return failed(name, f"GITHUB_TOKEN has the scopes {', '.join(sorted(scopes))}", advice)
    return ok(name, f"{url} takes GITHUB_TOKEN")


async def _model(http: httpx.AsyncClient, prefix: str, forwarded_env: Mapping[str, str]) -> Check:
    name, variable, service = "model key", f"{prefix}_API_KEY", _SERVICES[prefix]
    base = (forwarded_env.get(f"{prefix}_BASE_URL") or service.base).rstrip("/")
    key = f"{service.prefix}{forwarded_env[variable]}"
    answer = await _ask(http, f"{base}{service.path}", service.header, key)
    if answer is None:
        return warning(name, f"{base} does not answer from here", "Look at the network's way out.")
    if answer.status_code in REFUSED:
        advice = "Look whether it was revoked, and whether it is that service's."
        return failed(name, f"{base} refuses {variable} (HTTP {answer.status_code})", advice)
    if not answer.is_success:
        advice = "It may work all the same: not every service lists its models."
        return warning(name, f"{base} answers HTTP {answer.status_code} to {variable}", advice)
    return ok(name, f"{base} takes {variable}")


async def _ask(http: httpx.AsyncClient, url: str, header: str, value: str) -> httpx.Response | None:
    headers = {header: value, "anthropic-version": "2023-06-01", "user-agent": "slipgate-doctor"}
    try:
        return await http.get(url, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError):
        return None


def check_exposure(settings: Settings) -> Iterator[Check]:
    """Checks who can read the variables of sandboxes."""
    if settings.daytona is None:
        return
    if "daytona-cli" in settings.providers:
        yield _arguments(settings)
    yield _stored(settings, settings.daytona)


def _arguments(settings: Settings) -> Check:
    names = ", ".join((*sorted(settings.forwarded_env), TASK_SECRET))
    return warning(
        "argument list",
        f"the CLI takes variables as arguments only: while it creates, every user of this host "
        f"sees {names}",
        "Give the launcher a host or container of its own, or SLIPGATE_PROVIDERS=daytona-api.",
    )


def _stored(settings: Settings, daytona: DaytonaSettings) -> Check:
    """By `daytona-cli` no variable is replaced by a secret."""
    name = "stored in clear"
    replaced = set() if "daytona-cli" in settings.providers else set(daytona.create.secrets)
    shown = sorted(set(settings.forwarded_env) - replaced)
    if not shown:
        return ok(name, f"only {TASK_SECRET}, which dies with its attempt")
    return warning(
        name,
        f"Daytona keeps variables in clear: any key of the organisation reads {', '.join(shown)}",
        "Use keys of narrow scope. SLIPGATE_DAYTONA_SECRETS=OPENAI_API_KEY=<name of a Daytona "
        "Secret> hands that over instead of a model's key, by daytona-api alone.",
    )
