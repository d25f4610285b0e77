"""`slipgate up`: a gateway and a launcher on this machine, for real use."""

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.keys import MintedKey, mint
from gateway.cli.output import AsJson, print_document, screen, trouble
from gateway.cli.processes import (
    GATEWAY,
    LAUNCHER,
    Child,
    check_free,
    check_launcher,
    stop_on_sigterm,
    wait_until_ready,
    without_slipgate,
)
from gateway.cli.replies import Answer
from gateway.cli.state import State
from gateway.settings import read_settings

PASSED_ON: Final = (
    "SLIPGATE_ALLOWED_REPOS",
    "SLIPGATE_ALLOW_FILE_REPOS",
    "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS",
    "SLIPGATE_CONCURRENCY_PER_KEY",
    "SLIPGATE_EGRESS_PROXY",
    "SLIPGATE_LEASE_SECONDS",
    "SLIPGATE_LOG",
    "SLIPGATE_RETENTION_DAYS",
    "SLIPGATE_SNAPSHOT",
    "SLIPGATE_CAPACITY",
    "SLIPGATE_SANDBOX_ENV",
    "SLIPGATE_LOCAL_UNCONFINED",
)
"""Settings of the gateway and the launcher that `up` takes from its own environment."""
OF_SOURCES: Final = ("SLIPGATE_DAYTONA_WEBHOOK_SECRETS", "SLIPGATE_GITHUB_WEBHOOK_SECRETS")
"""Settings that are the gateway's alone."""
OF_PROVIDERS: Final = (
    "SLIPGATE_DAYTONA_SECRETS",
    "SLIPGATE_DOCKER_",
    "SLIPGATE_GITHUB_ACTIONS_",
    "SLIPGATE_REALM",
)
"""Beginnings of the names of settings that the launcher's providers have."""
LOCAL: Final = "local"

TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="a restored backup keeps its instance: the gateway it was taken from is gone",
    ),
]


class Running(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """What `up --json` prints once everything runs."""

    url: str
    state: str
    tasks_key: str | None = None
    """Shown on the first run alone."""
    callback_secret: str | None = None


def up(
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 8700,
    state: Annotated[Path, typer.Option(help="folder of the database and the keys")] = Path(
        ".slipgate"
    ),
    providers: Annotated[
        str,
        typer.Option(
            envvar="SLIPGATE_PROVIDERS",
            help="where sandboxes come from, such as daytona-api,daytona-cli; `local` is this host",
        ),
    ] = LOCAL,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Run a gateway and a launcher; Ctrl-C stops them in order."""
    check_free(port)
    kept = State(state)
    url = f"http://127.0.0.1:{port}"
    gateway_env = gateway_environ(kept, port, public_url=_public_url(url, providers))
    read_settings(gateway_env)
    launcher_env = launcher_environ(kept, url, gateway_env, providers)
    check_launcher(launcher_env)
    first = _first_key(kept, gateway_env)
    stop_on_sigterm()
    try:
        with ExitStack() as stack:
            # Stopped in the opposite order: the launcher reports before the gateway goes.
            log = kept.folder / "gateway.log"
            program = (*GATEWAY, "--take-over") if take_over else GATEWAY
            gateway = stack.enter_context(Child("gateway", program, gateway_env, log))
            wait_until_ready(url, gateway)
            log = kept.folder / "launcher.log"
            launcher = stack.enter_context(Child("launcher", LAUNCHER, launcher_env, log))
            _announce(kept, url, first, as_json)
            _watch(gateway, launcher)
    except KeyboardInterrupt:
        trouble.print("stopped; `slipgate up` goes on where it was", style="dim")


def gateway_environ(kept: State, port: int, *, public_url: str) -> dict[str, str]:
    """The environment of the gateway: it never sees a model key. `public_url` empty: sandboxes only
    spool."""
    return {
        **_bare_environ(),
        "SLIPGATE_DATABASE_URL": kept.database_url,
        "SLIPGATE_SECRET_KEYS": kept.master_keys(),
        "SLIPGATE_PUBLIC_URL": public_url,
        "SLIPGATE_HOST": "127.0.0.1",
        "SLIPGATE_PORT": str(port),
    }


def launcher_environ(
    kept: State, url: str, gateway_env: dict[str, str], providers: str
) -> dict[str, str]:
    """The environment of the launcher: it has the keys of models, of GitHub and of Daytona."""
    key = kept.kept("launcher-key", lambda: mint(gateway_env, "launcher", "default", "up").key)
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
        "SLIPGATE_LAUNCHER_STATE": str(kept.folder / "launcher"),
    }


def _public_url(own: str, providers: str) -> str:
    """Agents on this host reach our own address. Sandboxes reach one that is given, or they only
    spool."""
    return own if providers.strip() == LOCAL else os.environ.get("SLIPGATE_PUBLIC_URL", "")


def _bare_environ() -> dict[str, str]:
    of_every_program = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV")
    names = (*of_every_program, *PASSED_ON, *OF_SOURCES)
    return {name: os.environ[name] for name in names if name in os.environ}


def _first_key(kept: State, gateway_env: dict[str, str]) -> MintedKey | None:
    marker = kept.folder / "keys-made"
    if marker.exists():
        return None
    key = mint(gateway_env, "tasks", "default", "up")
    marker.touch()
    return key


def _announce(kept: State, url: str, first: MintedKey | None, as_json: bool) -> None:
    if as_json:
        print_document(
            Running(
                url=url,
                state=str(kept.folder),
                tasks_key=first.key if first else None,
                callback_secret=first.callback_secret if first else None,
            )
        )
        return
    screen.print(f"slipgate runs at {url}, its state is in {kept.folder}", markup=False)
    if first is not None:
        screen.print("Keys, shown this once:")
        screen.print(f"  export SLIPGATE_URL={url}", markup=False)
        screen.print(f"  export SLIPGATE_API_KEY={first.key}", markup=False)
        if first.callback_secret:
            screen.print(f"  callback secret: {first.callback_secret}", markup=False)
    screen.print("In another terminal:")
    screen.print("  slipgate tasks create --repo URL --prompt TEXT --watch", markup=False)
    screen.print("Ctrl-C stops it.", style="dim")


def _watch(*children: Child) -> None:
    while True:
        for child in children:
            child.check()
        time.sleep(0.5)
