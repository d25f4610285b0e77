"""`slipgate init`: from nothing to the first task; run again it keeps what is there."""

import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.console.output import AsJson, CommandFailed, print_document
from gateway.cli.console.terminal import note, out, print_failure
from gateway.cli.http.client import decode, open_client
from gateway.cli.http.connection import of_folder
from gateway.cli.http.options import Chosen, chosen
from gateway.cli.init.answers import Answers
from gateway.cli.init.questions import MODELS, PROVIDERS
from gateway.cli.init.setup import FILES, Setup, Wanted, ask_setup, write_setup
from gateway.cli.local.env_files import (
    FRONTEND_FILE,
    GATEWAY_FILE,
    LAUNCHER_FILE,
    read_env_file,
)
from gateway.cli.local.installation import (
    DEFAULT_PORT,
    Installation,
    RunningInstallation,
    is_answering,
)
from gateway.cli.local.processes import programs
from gateway.cli.local.state import STATE
from gateway.cli.local.up import print_running
from gateway.cli.tasks.watch import NEEDS_REVIEW, watch_task
from gateway.domain.kernel.errors import ApiError
from gateway.domain.repositories.allowed import check_repository
from gateway.wire.environment import EnvironmentReader
from gateway.wire.own_process import close_own_process
from gateway.wire.tasks import TaskView

_FOR_APPLICATION: Final = f"  {FRONTEND_FILE} is for the .env.local of your application"
AGAIN: Final = (
    "Mend what is named above (the settings are in .env.gateway and .env.launcher; a key in your "
    "environment replaces the one there), and run `slipgate init` again: it keeps the rest."
)

ProviderName = Annotated[str | None, typer.Option(help=f"of sandboxes: {', '.join(PROVIDERS)}")]
ModelProvider = Annotated[str | None, typer.Option(help=f"of models: {', '.join(MODELS)}")]
PublicUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="address of the gateway for sandboxes and app")
]
AppUrl = Annotated[str | None, typer.Option(metavar="URL", help="default: port 3000 of localhost")]
Port = Annotated[int | None, typer.Option(min=1, max=65_535, help=f"default: {DEFAULT_PORT}")]
Build = Annotated[
    bool | None, typer.Option("--build/--no-build", help="the snapshot of Daytona, docker's image")
]
Repo = Annotated[str | None, typer.Option(metavar="URL", help="of a first task")]
Prompt = Annotated[str, typer.Option(help="of a first task")]
Start = Annotated[
    bool | None, typer.Option("--start/--no-start", help="leave it running at the end")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="ask nothing, take the defaults")]


@dataclass(kw_only=True)
class Run:
    """One run: the options of the later steps, and what came of each step."""

    repo: str | None
    prompt: str
    is_kept_running: bool
    as_json: bool
    changed: dict[str, list[str]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    doctor: msgspec.Raw = field(default_factory=lambda: msgspec.Raw(b"null"))
    task: str | None = None

    def step(self, title: str) -> None:
        if not self.as_json:
            out.print(f"\n{title}", style="bold")

    def line(self, text: str) -> None:
        if not self.as_json:
            out.print(text)


def init(
    provider: ProviderName = None,
    model_provider: ModelProvider = None,
    public_url: PublicUrl = None,
    app_url: AppUrl = None,
    port: Port = None,
    build: Build = None,
    repo: Repo = None,
    prompt: Prompt = "Add a /health endpoint",
    start: Start = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Set everything up in this folder: settings, keys, snapshot, checks, a first task.

    It asks on a terminal; keys come from prompts or the environment (OPENAI_API_KEY, GITHUB_TOKEN,
    DAYTONA_API_KEY, …), never from options. Run again, it repairs and keeps what is there.

    Example: slipgate init

    Example: slipgate init --provider=daytona --repo=https://github.com/acme/widgets --yes
    """
    close_own_process()
    answers = Answers(read_env_file(LAUNCHER_FILE), os.environ, is_yes=yes)
    wanted = Wanted(
        provider=provider,
        model_provider=model_provider,
        public_url=public_url,
        app_url=app_url,
        port=port,
    )
    setup = ask_setup(wanted, answers)
    builder = _builder(setup, answers, build)
    if repo is not None:
        _repository(repo, "--repo")
    elif answers.is_asking:
        repo, prompt = _ask_first_task(prompt)
    keeps = start if start is not None else answers.is_asking
    answers.check()
    run = Run(repo=repo, prompt=prompt, is_kept_running=keeps, as_json=as_json)
    _perform(run, setup, builder)


def _perform(run: Run, setup: Setup, builder: str | None) -> None:
    _write(run, setup)
    if builder:
        _build(run, builder)
    if setup.is_local_database:
        _start(run, setup)
    else:
        _print_commands(run)
    _finish(run, setup)


def _ask_first_task(prompt: str) -> tuple[str | None, str]:
    """Its repository, which may be none, and its prompt."""
    text = "Repository of a first task (empty: none)"
    repo = typer.prompt(text, default="", show_default=False, value_proc=_repository, err=True)
    return repo or None, typer.prompt("Its prompt", default=prompt, err=True) if repo else prompt


def _repository(url: str, option: str | None = None) -> str:
    """The URL, if the gateway would take it; `option` named it.

    Raises:
        BadParameter: it would not.
    """
    settings = {**read_env_file(GATEWAY_FILE), **os.environ}
    allow_file = EnvironmentReader(settings).flag("SLIPGATE_ALLOW_FILE_REPOS")
    try:
        if url:
            check_repository(url, "$.repoUrl", allow_file=allow_file)
    except ApiError as refusal:
        rule = refusal.errors[0].message
        raise typer.BadParameter(f"{rule}. {refusal.hint}", param_hint=option) from refusal
    return url


def _builder(setup: Setup, answers: Answers, build: bool | None) -> str | None:
    """The command that builds the snapshot, if it is wanted."""
    found = PROVIDERS.get(setup.provider)
    if found is None or not found.snapshot:
        return None
    return found.snapshot if answers.confirm(found.build_text, build, default=True) else None


def _write(run: Run, setup: Setup) -> None:
    run.step("Settings and keys")
    run.changed = write_setup(setup)
    for file, names in run.changed.items():
        run.line(f"  {file:<14} {', '.join(names) or 'is as it was'}")


def _build(run: Run, builder: str) -> None:
    run.step("Snapshot")
    environ = {**os.environ, **read_env_file(LAUNCHER_FILE)}
    if _call(run, (*programs.get().snapshots, builder), environ) != 0:
        run.failed.append("the snapshot")


def _call(run: Run, command: Sequence[str], environ: dict[str, str]) -> int:
    """Its exit code; with `--json` its output goes to stderr: stdout has one document."""
    target = sys.stderr if run.as_json else sys.stdout
    target.flush()
    return subprocess.run(command, env=environ, stdout=target.fileno(), check=False).returncode


def _start(run: Run, setup: Setup) -> None:
    """Runs everything for the checks and the first task, and on, if that is wanted."""
    run.step("Start")
    here = of_folder()
    if here is not None and is_answering(here.url):
        run.line(f"  slipgate runs at {here.url} already; start it again if settings have changed")
        _try_out(run, setup, here.url, {**os.environ, **read_env_file(LAUNCHER_FILE)})
        run.is_kept_running = False
        return
    installation = Installation.prepared(STATE)
    with suppress(KeyboardInterrupt), installation.running() as running:
        run.line(f"  slipgate runs at {installation.url}")
        _try_out(run, setup, installation.url, running.launcher_env)
        if run.is_kept_running and not run.failed:
            if run.as_json:
                _print(run)
            else:
                _print_running(run, setup, running)
            running.watch(threading.Event())


def _try_out(run: Run, setup: Setup, url: str, launcher_env: dict[str, str]) -> None:
    _check(run, launcher_env)
    if run.repo is None or run.failed:
        return
    if setup.missing_key:
        run.step("First task")
        run.line(f"  it needs {setup.missing_key}, which is not there yet")
    else:
        _first_task(run, setup, url)


def _check(run: Run, launcher_env: dict[str, str]) -> None:
    run.step("Doctor")
    if run.as_json:
        command = [*programs.get().doctor, "--json"]
        done = subprocess.run(command, env=launcher_env, stdout=subprocess.PIPE, check=False)
        run.doctor, code = msgspec.Raw(done.stdout or b"null"), done.returncode
    else:
        code = _call(run, programs.get().doctor, launcher_env)
    if code != 0:
        run.failed.append("the checks of `slipgate doctor`")


def _first_task(run: Run, setup: Setup, url: str) -> None:
    run.step("First task")
    key = read_env_file(FRONTEND_FILE)["SLIPGATE_API_KEY"]
    chosen.set(Chosen(url=url, key=key))
    body = {
        "repoUrl": run.repo,
        "prompt": run.prompt,
        "agent": {"modelProvider": setup.model_provider},
    }
    headers = {"idempotency-key": str(uuid.uuid4())}
    try:
        with open_client() as client:
            answer = client.call("POST", "/v1/tasks", body, headers=headers)
            run.task = decode(TaskView, answer).id
            if not run.as_json:
                watch_task(client, run.task, as_json=False)
    except CommandFailed as failure:
        print_failure(failure)
        if failure.exit_code != NEEDS_REVIEW:
            run.failed.append("the first task")


def _print_commands(run: Run) -> None:
    run.step("Start")
    run.line("  slipgate gateway --env-file=.env.gateway")
    run.line("  slipgate launcher --env-file=.env.launcher")
    run.line("  slipgate doctor --env-file=.env.launcher")


def _finish(run: Run, setup: Setup) -> None:
    if run.failed:
        raise CommandFailed(f"Not all is well yet: {', '.join(run.failed)}.", AGAIN)
    if run.is_kept_running:
        note("stopped; `slipgate up` goes on where it was")
        return
    if run.as_json:
        _print(run)
        return
    run.step("Next")
    _print_missing_key(run, setup)
    run.line("  slipgate up          # a gateway and a launcher with these settings")
    run.line("  slipgate dev         # the same, and its events to an app on this machine")
    if run.task is None:
        run.line("  slipgate tasks create --repo URL --prompt TEXT --watch")
    run.line(_FOR_APPLICATION)


def _print_running(run: Run, setup: Setup, running: RunningInstallation) -> None:
    run.step("Next")
    _print_missing_key(run, setup)
    run.line(_FOR_APPLICATION)
    run.line("")
    print_running(running, as_json=False)


def _print_missing_key(run: Run, setup: Setup) -> None:
    if setup.missing_key:
        run.line(
            f"  add {setup.missing_key}=… to {LAUNCHER_FILE} and start it again, or let each task "
            "bring it in its env"
        )


def _print(run: Run) -> None:
    files = {str(file): run.changed.get(str(file), []) for file in FILES}
    print_document({"changed": files, "doctor": run.doctor, "task": run.task})
