"""The settings of `slipgate init`: asked, written into three files, read again by the next run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.cli.console.output import CommandFailed
from gateway.cli.init.answers import YES_OPTION, Answers
from gateway.cli.init.keys import frontend_keys, key_of_launcher
from gateway.cli.init.questions import GITHUB_TOKEN, MODELS, PROVIDERS, model_key
from gateway.cli.init.writing import ignore, write_env_file
from gateway.cli.local.env_files import (
    FRONTEND_FILE,
    GATEWAY_FILE,
    LAUNCHER_FILE,
    read_env_file,
)
from gateway.cli.local.environments import HOST
from gateway.cli.local.installation import DEFAULT_PORT
from gateway.cli.local.state import STATE, State
from gateway.cli.webhook.sending import APP_URL
from gateway.settings import DEFAULT_DATABASE
from gateway.wire.secret_files import MASTER_KEYS_VARIABLE

FILES: Final = (GATEWAY_FILE, LAUNCHER_FILE, FRONTEND_FILE)
UNCONFINED: Final = "SLIPGATE_LOCAL_UNCONFINED"
SANDBOX_ENV: Final = "SLIPGATE_SANDBOX_ENV"
DAYTONA_SECRETS: Final = "SLIPGATE_DAYTONA_SECRETS"
_DATABASE: Final = "SLIPGATE_DATABASE_URL"
_HEADINGS: Final = {
    GATEWAY_FILE: "slipgate gateway --env-file=.env.gateway",
    LAUNCHER_FILE: "slipgate launcher --env-file=.env.launcher",
    FRONTEND_FILE: "for the .env.local of your application",
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The options; None: not given."""

    provider: str | None = None
    model_provider: str | None = None
    public_url: str | None = None
    app_url: str | None = None
    port: int | None = None


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The settings of the gateway, the launcher and the frontend, without keys of ours."""

    provider: str
    """One of the questions' providers; empty: a chain that somebody wrote."""
    model_provider: str
    gateway: dict[str, str]
    launcher: dict[str, str]
    frontend: dict[str, str]
    missing_key: str
    """The variable of a model's key that each task has to bring in its `env`; empty: none."""
    wins: frozenset[str]
    """Variables that an option or the environment gave: they replace those in the files."""

    @property
    def is_local_database(self) -> bool:
        """True if it is the one of `up`, which can run it."""
        return self.gateway[_DATABASE] == DEFAULT_DATABASE


def ask_setup(wanted: Wanted, answers: Answers) -> Setup:
    """Asks everything; what is missing is counted in the answers."""
    earlier = {file: read_env_file(file) for file in FILES}
    launcher = earlier[LAUNCHER_FILE]
    provider = _provider(wanted, launcher, answers)
    chosen = PROVIDERS.get(provider)
    setting = launcher.get("SLIPGATE_PROVIDERS", "") if chosen is None else chosen.setting
    found = answers.ask(chosen.questions) if chosen else {}
    if provider == "local":
        found |= _unconfined(answers)
    model = _model_provider(wanted, answers)
    found |= answers.ask((model_key(model), GITHUB_TOKEN))
    found |= _addresses(model, answers)
    port = wanted.port or int(earlier[GATEWAY_FILE].get("SLIPGATE_PORT") or DEFAULT_PORT)
    public_url = wanted.public_url or earlier[GATEWAY_FILE].get("SLIPGATE_PUBLIC_URL", "")
    url = public_url.rstrip("/") or f"http://{HOST}:{port}"
    given = {"SLIPGATE_PROVIDERS": wanted.provider, "SLIPGATE_PUBLIC_URL": wanted.public_url}
    moved = {"SLIPGATE_PORT": wanted.port, "SLIPGATE_URL": wanted.port or wanted.public_url}
    return Setup(
        provider=provider,
        model_provider=model,
        gateway={
            _DATABASE: earlier[GATEWAY_FILE].get(_DATABASE) or DEFAULT_DATABASE,
            "SLIPGATE_PORT": "" if port == DEFAULT_PORT else str(port),
            "SLIPGATE_PUBLIC_URL": public_url,
        },
        launcher={"SLIPGATE_URL": url, "SLIPGATE_PROVIDERS": setting, **found},
        frontend={"SLIPGATE_URL": url, "APP_URL": wanted.app_url or APP_URL},
        missing_key=_missing_key(provider, MODELS[model], found, answers),
        wins=frozenset(
            name for name, value in {**given, **moved, **answers.exported(found)}.items() if value
        ),
    )


def write_setup(setup: Setup) -> dict[str, list[str]]:
    """Makes the keys and writes the files; returns the variables that changed in each. The files
    are for this user alone, and git does not take them."""
    kept = State(STATE)
    master_keys = read_env_file(GATEWAY_FILE).get(MASTER_KEYS_VARIABLE) or kept.master_keys()
    gateway = {**setup.gateway, MASTER_KEYS_VARIABLE: master_keys}
    frontend = frontend_keys(gateway, read_env_file(FRONTEND_FILE))
    known = read_env_file(LAUNCHER_FILE).get("SLIPGATE_API_KEY", "")
    key = {"SLIPGATE_API_KEY": key_of_launcher(gateway, kept, known)}
    values = {
        GATEWAY_FILE: gateway,
        LAUNCHER_FILE: {**setup.launcher, **key},
        FRONTEND_FILE: {**setup.frontend, **frontend},
    }
    # A key that opens nothing any more is no value to keep.
    wins = setup.wins | {"SLIPGATE_API_KEY", "SLIPGATE_WEBHOOK_SECRET"}
    ignore((*FILES, STATE))
    changed = {
        str(file): write_env_file(file, values[file], _HEADINGS[file], wins=wins) for file in FILES
    }
    kept.first_key_shown.touch()  # it stands in the file
    return changed


def _provider(wanted: Wanted, launcher: Mapping[str, str], answers: Answers) -> str:
    setting = launcher.get("SLIPGATE_PROVIDERS", "").strip()
    if wanted.provider is None and setting:
        first = setting.partition(",")[0].strip()
        kinds = (kind for kind, each in PROVIDERS.items() if each.setting == first)
        return next(kinds, "")
    meanings = {kind: each.meaning for kind, each in PROVIDERS.items()}
    return answers.choose("--provider", wanted.provider, meanings, "local")


def _unconfined(answers: Answers) -> dict[str, str]:
    text = "Agents will run on this host under your user, which is no sandbox. Do you trust them?"
    is_trusted = answers.confirm(text, True if answers.known(UNCONFINED) else None, default=False)
    if not is_trusted and answers.is_asking:
        raise CommandFailed(
            "Nothing was set up: `local` is for agents that you trust.",
            "Run `slipgate init` again, and choose docker or daytona, which have sandboxes.",
        )
    answers.require(
        is_trusted,
        f"{YES_OPTION} (or {UNCONFINED}=true), which confirms that `local` is no sandbox; "
        "--provider docker or daytona has one",
    )
    return {UNCONFINED: "true"} if is_trusted else {}


def _missing_key(provider: str, name: str, found: Mapping[str, str], answers: Answers) -> str:
    is_elsewhere = provider == "github-actions" or name in answers.known(DAYTONA_SECRETS)
    return "" if name in found or is_elsewhere else name


def _addresses(model: str, answers: Answers) -> dict[str, str]:
    """Other addresses of the model's service and of GitHub, where the environment names them, and
    the setting by which sandboxes get them beside the keys."""
    names = (MODELS[model].replace("_API_KEY", "_BASE_URL"), "GITHUB_API_URL")
    found = {name: answers.known(name) for name in names if answers.known(name)}
    if not found:
        return {}
    passed_on = (*MODELS.values(), GITHUB_TOKEN.name, *found)
    return {**found, SANDBOX_ENV: answers.known(SANDBOX_ENV) or ",".join(passed_on)}


def _model_provider(wanted: Wanted, answers: Answers) -> str:
    present = [kind for kind, name in MODELS.items() if answers.known(name)]
    if wanted.model_provider is None and present:
        return present[0]
    if wanted.model_provider is None and not answers.is_asking:
        return "openai"
    kinds = {kind: f"with {name}" for kind, name in MODELS.items()}
    return answers.choose("--model-provider", wanted.model_provider, kinds, "openai")
