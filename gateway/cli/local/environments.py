"""The environments of the gateway and of the launcher, made from the one of `up`."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from gateway.cli.http.connection import KEY_VARIABLE, PROFILE_VARIABLE, URL_VARIABLE
from gateway.cli.local.processes import without_slipgate
from gateway.cli.local.state import State
from gateway.cli.operations.minting import is_live, mint
from gateway.cli.webhook.secret import VARIABLE as SECRET_VARIABLE
from gateway.settings import LOOPBACK, SQLITE
from gateway.wire.environment import SettingsError
from gateway.wire.secret_files import MASTER_KEYS_VARIABLE

PASSED_ON: Final = (
    "SLIPGATE_ALLOWED_REPOS",
    "SLIPGATE_ALLOW_FILE_REPOS",
    "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS",
    "SLIPGATE_BOOTSTRAP_KEY_FILE",
    "SLIPGATE_BOOTSTRAP_LAUNCHER_KEY_FILE",
    "SLIPGATE_CONCURRENCY_PER_KEY",
    "SLIPGATE_EGRESS_PROXY",
    "SLIPGATE_LEASE_SECONDS",
    "SLIPGATE_LOG",
    "SLIPGATE_MIN_FREE_MIB",
    "SLIPGATE_PORTAL_ORIGINS",
    "SLIPGATE_RETENTION_BY_MONTH",
    "SLIPGATE_RETENTION_DAYS",
    "SLIPGATE_STOP_DELAY_SECONDS",
    "SLIPGATE_SNAPSHOT",
    "SLIPGATE_TRUSTED_PROXIES",
    "SLIPGATE_WORKSPACE_WAIT_SECONDS",
    "SLIPGATE_CAPACITY",
    "SLIPGATE_HIDDEN",
    "SLIPGATE_MODEL_API",
    "SLIPGATE_MODEL_PRICES",
    "SLIPGATE_SANDBOX_ENV",
    "SLIPGATE_LOCAL_UNCONFINED",
    "SLIPGATE_GITHUB_APP_ID",
    "SLIPGATE_GITHUB_APP_PRIVATE_KEY",
    "SLIPGATE_GITHUB_APP_PRIVATE_KEY_FILE",
    "SLIPGATE_GITHUB_APP_WORKFLOWS",
    "SLIPGATE_PULL_REQUESTS",
    "SLIPGATE_SIGNING_KEY",
)
"""Settings of the gateway and the launcher that `up` takes from its own environment."""
OF_SOURCES: Final = (
    "SLIPGATE_DAYTONA_WEBHOOK_SECRETS",
    "SLIPGATE_GITHUB_FOLLOW_UPS",
    "SLIPGATE_GITHUB_FOLLOW_UP_LIMIT",
    "SLIPGATE_GITHUB_WEBHOOK_SECRETS",
)
"""Settings of the gateway alone."""
OF_PROVIDERS: Final = (
    "SLIPGATE_DAYTONA_SECRETS",
    "SLIPGATE_DOCKER_",
    "SLIPGATE_GITHUB_ACTIONS_",
    "SLIPGATE_KUBERNETES_",
    "SLIPGATE_REALM",
    "SLIPGATE_SANDBOX_TTL_MINUTES",
)
"""Prefixes of the settings of the launcher's providers."""
OPTIONS: Final = frozenset(
    {
        "SLIPGATE_PORT",
        "SLIPGATE_PROVIDERS",
        "SLIPGATE_PUBLIC_URL",
        "SLIPGATE_SECRET_KEYS_FILE",
    }
)
"""Settings that `up` reads itself, some as options."""
OF_COMMANDS: Final = (
    *(URL_VARIABLE, KEY_VARIABLE, f"{KEY_VARIABLE}_FILE"),
    *(PROFILE_VARIABLE, SECRET_VARIABLE),
)
"""Variables that other commands read."""
OWN: Final = {
    "SLIPGATE_DATABASE_SESSION_URL": "`slipgate gateway` works on a server",
    "SLIPGATE_DATABASE_URL": "--state names its folder, `slipgate gateway` works on a server",
    "SLIPGATE_HOST": "`slipgate gateway` listens elsewhere",
    "SLIPGATE_LAUNCHER_STATE": "--state names its folder",
}
"""Settings that `up` decides, and the way to change each."""
_LAUNCHER_KEY: Final = "launcher-key"
LOCAL: Final = "local"
HOST: Final = "127.0.0.1"
KNOWN: Final = frozenset(
    {*PASSED_ON, *OF_SOURCES, *OPTIONS, *OWN, *OF_COMMANDS, MASTER_KEYS_VARIABLE}
)
"""All settings but those of providers."""
OF_EVERY_PROGRAM: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV")


def gateway_environ(
    environ: Mapping[str, str], kept: State, port: int, *, public_url: str, secret_keys: str = ""
) -> dict[str, str]:
    """The environment of the gateway, without model keys. Without a `public_url` sandboxes only
    spool; without `secret_keys` those of the state folder are used, made the first time."""
    return {
        # An app under development listens on this machine.
        "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": LOOPBACK,
        **_passed(environ, (*OF_EVERY_PROGRAM, *PASSED_ON, *OF_SOURCES), ("OTEL_",)),
        "SLIPGATE_DATABASE_URL": kept.database_url,
        MASTER_KEYS_VARIABLE: secret_keys or kept.master_keys(),
        "SLIPGATE_PUBLIC_URL": public_url,
        "SLIPGATE_HOST": HOST,
        "SLIPGATE_PORT": str(port),
    }


def launcher_environ(
    environ: Mapping[str, str], kept: State, url: str, gateway_env: dict[str, str], providers: str
) -> dict[str, str]:
    """The environment of the launcher, with the keys of models, of GitHub and of Daytona."""
    key = kept.kept(_LAUNCHER_KEY, partial(_new_launcher_key, gateway_env))
    passed = _passed(environ, PASSED_ON, OF_PROVIDERS)
    return {
        **without_slipgate(environ),
        **passed,
        "SLIPGATE_URL": url,
        "SLIPGATE_API_KEY": key,
        "SLIPGATE_PROVIDERS": providers,
        "SLIPGATE_LAUNCHER_STATE": str(kept.launcher),
        "SLIPGATE_HIDDEN": ":".join(
            filter(None, (str(kept.folder), passed.get("SLIPGATE_HIDDEN")))
        ),
    }


def launcher_key(gateway_env: Mapping[str, str], kept: State) -> str:
    """A key that opens the gateway to the launcher."""
    make = partial(_new_launcher_key, gateway_env)
    return kept.live_key(_LAUNCHER_KEY, make, partial(is_live, gateway_env))


def _new_launcher_key(gateway_env: Mapping[str, str]) -> str:
    """For all projects: this machine is its operator's own."""
    return mint(gateway_env, "launcher", "default", "up", all_projects=True).key


def public_url_of(environ: Mapping[str, str], own: str, providers: str) -> str:
    """The public URL of the environment, or our own address if all agents run on this host; without
    one, sandboxes spool."""
    given = environ.get("SLIPGATE_PUBLIC_URL", "").strip()
    return given or (own if providers.strip() == LOCAL else "")


def check_own(environ: Mapping[str, str], kept: State) -> None:
    """Raises `SettingsError` if the environment contradicts what `up` decides."""
    ours = ("a file", kept.database_url, HOST, str(kept.launcher))
    problems = [
        f"{name} is set, but `slipgate up` always takes {own}: unset it; {instead}"
        for (name, instead), own in zip(OWN.items(), ours, strict=True)
        if not _is_same(environ.get(name, "").strip(), own)
    ]
    if problems:
        raise SettingsError(problems)


def _is_same(given: str, ours: str) -> bool:
    """True if a setting is absent, or means the same as ours: a path may be relative."""
    path = given.removeprefix(SQLITE)
    return given in ("", ours) or Path(path).resolve() == Path(ours.removeprefix(SQLITE))


def _passed(
    environ: Mapping[str, str], names: tuple[str, ...], prefixes: tuple[str, ...] = ()
) -> dict[str, str]:
    return {
        name: text for name, text in environ.items() if name in names or name.startswith(prefixes)
    }
