"""`slipgate up`: runs a gateway and a launcher on this machine, for real use."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, TakeOver, print_document
from gateway.cli.console.terminal import note, out
from gateway.cli.http.connection import (
    KEY_VARIABLE,
    PROFILE_VARIABLE,
    URL_VARIABLE,
    Connection,
)
from gateway.cli.local.dashboard_link import dashboard_link
from gateway.cli.local.processes import (
    GATEWAY,
    LAUNCHER,
    Child,
    check_free,
    check_launcher,
    stop_on_sigterm,
    wait_until_ready,
    without_slipgate,
)
from gateway.cli.local.shortcomings import shortcomings
from gateway.cli.local.state import MASTER_KEYS_VARIABLE, State
from gateway.cli.local.task_lines import TaskLines
from gateway.cli.operations.minting import mint
from gateway.cli.webhook.secret import VARIABLE as SECRET_VARIABLE
from gateway.settings import SQLITE, read_settings
from gateway.wire.environment import SettingsError
from gateway.wire.keys import NewKeyView
from gateway.wire.own_process import close_own_process

PASSED_ON: Final = (
    "SLIPGATE_ALLOWED_REPOS",
    "SLIPGATE_ALLOW_FILE_REPOS",
    "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS",
    "SLIPGATE_CONCURRENCY_PER_KEY",
    "SLIPGATE_EGRESS_PROXY",
    "SLIPGATE_LEASE_SECONDS",
    "SLIPGATE_LOG",
    "SLIPGATE_MIN_FREE_MIB",
    "SLIPGATE_RETENTION_DAYS",
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
    "SLIPGATE_REALM",
    "SLIPGATE_SANDBOX_TTL_MINUTES",
)
"""Prefixes of the settings of the launcher's providers."""
OPTIONS: Final = frozenset({"SLIPGATE_PORT", "SLIPGATE_PROVIDERS", "SLIPGATE_PUBLIC_URL"})
"""Settings that `up` reads itself, some as options."""
OF_COMMANDS: Final = (URL_VARIABLE, KEY_VARIABLE, PROFILE_VARIABLE, SECRET_VARIABLE)
"""Variables that other commands read."""
OWN: Final = {
    "SLIPGATE_DATABASE_URL": "--state names its folder",
    "SLIPGATE_HOST": "`slipgate gateway` listens elsewhere",
    "SLIPGATE_LAUNCHER_STATE": "--state names its folder",
}
"""Settings that `up` decides, and the way to change each."""
LOCAL: Final = "local"
HOST: Final = "127.0.0.1"
STATE: Final = Path(".slipgate")


def up(
    port: Annotated[
        int, typer.Option(envvar="SLIPGATE_PORT", min=1, max=65_535, help="port of the gateway")
    ] = 8700,
    state: Annotated[Path, typer.Option(help="folder of the database and the keys")] = STATE,
    providers: Annotated[
        str,
        typer.Option(
            envvar="SLIPGATE_PROVIDERS",
            help="providers of sandboxes, such as daytona-api,daytona-cli; `local` is this host",
        ),
    ] = LOCAL,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Run a gateway and a launcher; Ctrl-C stops them in order.

    Example: slipgate up --providers=daytona-api --port=8700

    Example: slipgate up --take-over
    """
    close_own_process()
    check_free(port)
    kept = State(state)
    _check_own(kept)
    url = f"http://{HOST}:{port}"
    gateway_env = gateway_environ(
        kept,
        port,
        public_url=_public_url(url, providers),
        secret_keys=os.environ.get(MASTER_KEYS_VARIABLE, "").strip(),
    )
    read_settings(gateway_env)
    launcher_env = launcher_environ(kept, url, gateway_env, providers)
    check_launcher(launcher_env)
    first = _first_key(kept, gateway_env)
    _note_shortcomings(providers)
    stop_on_sigterm()
    try:
        with TaskLines() as lines, ExitStack() as stack:
            # Stopped in the opposite order: the launcher reports before the gateway goes.
            program = (*GATEWAY, "--take-over") if take_over else GATEWAY
            gateway = stack.enter_context(_child("gateway", program, gateway_env, kept))
            wait_until_ready(url, gateway)
            launcher = stack.enter_context(_child("launcher", LAUNCHER, launcher_env, kept))
            key = stack.enter_context(kept.connection(url, partial(_operator_key, gateway_env)))
            _print_running(kept, url, first, dashboard_link(kept, gateway_env, url), as_json)
            kept.first_key_shown.touch()  # not before: a key that was not shown is replaced
            if not as_json:
                lines.follow(Connection(url=url, key=key))
            _watch(gateway, launcher)
    except KeyboardInterrupt:
        note("stopped; `slipgate up` goes on where it was")


def gateway_environ(
    kept: State, port: int, *, public_url: str, secret_keys: str = ""
) -> dict[str, str]:
    """The environment of the gateway, without model keys. Without a `public_url` sandboxes only
    spool; without `secret_keys` those of the state folder are used, made the first time."""
    return {
        # An app under development listens on this machine.
        "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true",
        **_bare_environ(),
        "SLIPGATE_DATABASE_URL": kept.database_url,
        MASTER_KEYS_VARIABLE: secret_keys or kept.master_keys(),
        "SLIPGATE_PUBLIC_URL": public_url,
        "SLIPGATE_HOST": HOST,
        "SLIPGATE_PORT": str(port),
    }


def launcher_environ(
    kept: State, url: str, gateway_env: dict[str, str], providers: str
) -> dict[str, str]:
    """The environment of the launcher, with the keys of models, of GitHub and of Daytona."""
    # For all projects: this machine is its operator's own.
    mint_key = partial(mint, gateway_env, "launcher", "default", "up", all_projects=True)
    key = kept.kept("launcher-key", lambda: mint_key().key)
    passed = {
        name: text
        for name, text in os.environ.items()
        if name in PASSED_ON or name.startswith(OF_PROVIDERS)
    }
    return {
        **without_slipgate(),
        **passed,
        "SLIPGATE_URL": url,
        "SLIPGATE_API_KEY": key,
        "SLIPGATE_PROVIDERS": providers,
        "SLIPGATE_LAUNCHER_STATE": str(kept.launcher),
        "SLIPGATE_HIDDEN": ":".join(
            filter(None, (str(kept.folder), passed.get("SLIPGATE_HIDDEN")))
        ),
    }


def _public_url(own: str, providers: str) -> str:
    """The public URL of the environment, or our own address if all agents run on this host; without
    one, sandboxes spool."""
    given = os.environ.get("SLIPGATE_PUBLIC_URL", "").strip()
    return given or (own if providers.strip() == LOCAL else "")


def _check_own(kept: State) -> None:
    """Raises `SettingsError` if the environment contradicts what `up` decides."""
    ours = (kept.database_url, HOST, str(kept.launcher))
    problems = [
        f"{name} is set, but `slipgate up` always takes {own}: unset it; {instead}"
        for (name, instead), own in zip(OWN.items(), ours, strict=True)
        if not _is_same(os.environ.get(name, "").strip(), own)
    ]
    if problems:
        raise SettingsError(problems)


def _is_same(given: str, ours: str) -> bool:
    """True if a setting is absent, or means the same as ours: a path may be relative."""
    path = given.removeprefix(SQLITE)
    return given in ("", ours) or Path(path).resolve() == Path(ours.removeprefix(SQLITE))


def _bare_environ() -> dict[str, str]:
    of_every_program = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV")
    names = (*of_every_program, *PASSED_ON, *OF_SOURCES)
    return {name: os.environ[name] for name in names if name in os.environ}


def _first_key(kept: State, gateway_env: dict[str, str]) -> NewKeyView | None:
    if kept.first_key_shown.exists():
        return None
    return mint(gateway_env, "tasks", "default", "up", is_first=True)


def _child(name: str, program: Sequence[str], environ: dict[str, str], kept: State) -> Child:
    """One of our programs, whose log is in the state folder."""
    return Child(name, program, environ, kept.folder / f"{name}.log")


def _note_shortcomings(providers: str) -> None:
    known = {*PASSED_ON, *OF_SOURCES, *OPTIONS, *OWN, *OF_COMMANDS, MASTER_KEYS_VARIABLE}
    for sentence in shortcomings(os.environ, providers, known, OF_PROVIDERS):
        note(sentence)


def _operator_key(gateway_env: dict[str, str]) -> str:
    """The key of the commands in this folder: whoever can read it can read the database, too."""
    return mint(gateway_env, "ops", "default", "command line of up").key


def _print_running(
    kept: State, url: str, first: NewKeyView | None, link: str, as_json: bool
) -> None:
    if as_json:
        keys = {"tasksKey": first.key, "callbackSecret": first.callback_secret} if first else {}
        shown = {name: key for name, key in keys.items() if key is not None}
        print_document({"url": url, "state": str(kept.folder), "dashboard": link, **shown})
        return
    out.print(f"slipgate runs at {url}, its state is in {kept.folder}")
    if first is not None:
        out.print("For your application, shown this once:")
        out.print(f"  export SLIPGATE_URL={url}")
        out.print(f"  export SLIPGATE_API_KEY={first.key}")
        if first.callback_secret:
            out.print(f"  callback secret: {first.callback_secret}")
    out.print("Dashboard (this link logs in once, within ten minutes):")
    out.print(f"  {link}", soft_wrap=True)
    out.print("In another terminal, in this folder:")
    out.print("  slipgate tasks create --repo URL --prompt TEXT --watch")
    out.print("Ctrl-C stops it.", style="dim")


def _watch(*children: Child) -> None:
    while True:
        for child in children:
            child.check()
        time.sleep(0.5)
