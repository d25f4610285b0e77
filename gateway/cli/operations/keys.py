"""`slipgate keys …`: API keys; the commands open the database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, CommandFailed, print_document
from gateway.cli.console.terminal import note, out, print_table
from gateway.cli.console.times import seconds, zoned
from gateway.cli.http.options import DryRun, Reason
from gateway.cli.operations.minting import mint_key, new_id, now
from gateway.cli.operations.rewrap import rewrap
from gateway.domain.kernel.errors import ApiError
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.operations.key_commands import CreateKey, RevokeKey
from gateway.domain.operations.rate_limit import RateLimit
from gateway.settings import read_database
from gateway.store.administration import open_operator
from gateway.web.operations.key_view import key_view
from gateway.wire.keys import MAX_CONCURRENT, MAX_RATE, MIN_RATE, KeyView, NewKeyView
from gateway.wire.times import rfc3339

keys: Final = typer.Typer(
    no_args_is_help=True,
    help="Create, list and revoke API keys; seal secrets under a new master key.\n\n"
    "Example: slipgate keys create --scope=tasks --name=me",
)
keys.command()(rewrap)
_COLUMNS: Final = (
    "id",
    "scope",
    "project",
    "name",
    "created",
    "last use",
    "limits",
    "expires",
    "revoked",
)
_OPTIONS: Final = {
    "$.name": "--name",
    "$.project": "--project",
    "$.allProjects": "--all-projects",
    "$.rateLimit.burst": "--burst",
    "$.expiresAt": "--expires-in",
}


class Scope(StrEnum):
    """The permissions of a key."""

    TASKS = "tasks"
    READ = "read"
    LAUNCHER = "launcher"
    OPS = "ops"


KeyScope = Annotated[Scope, typer.Option(help="permissions of the key")]
Holder = Annotated[str, typer.Option(help="its holder")]
Project = Annotated[str, typer.Option(help="project whose tasks it sees")]
AllProjects = Annotated[
    bool, typer.Option("--all-projects", help="let a launcher serve every project")
]
Life = Annotated[
    int | None,
    typer.Option(parser=seconds, metavar="TIME", help="its life: 90d, 12h; default: no end"),
]
Rate = Annotated[
    float | None,
    typer.Option(min=MIN_RATE, max=MAX_RATE, help="requests per second; default: no limit"),
]
Burst = Annotated[
    int | None, typer.Option(min=1, max=MAX_RATE, help="at once; default: those of a second")
]
Concurrent = Annotated[
    int | None, typer.Option(min=1, max=MAX_CONCURRENT, help="open requests, polls, streams")
]
CallbackSecret = Annotated[
    bool,
    typer.Option(
        "--callback-secret", help="show the callback secret too, if the project had one before"
    ),
]


@keys.command()
def create(
    scope: KeyScope,
    name: Holder,
    project: Project = "default",
    all_projects: AllProjects = False,
    expires_in: Life = None,
    rate: Rate = None,
    burst: Burst = None,
    concurrent: Concurrent = None,
    show_secret: CallbackSecret = False,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Create a key; it is shown this once.

    Example: slipgate keys create --scope=tasks --name=me
    """
    wanted = ApiKey(
        id=new_id(),
        scope=scope,
        project=project,
        name=name,
        all_projects=all_projects,
        rate_limit=RateLimit(requests_per_second=rate, burst=burst, concurrent=concurrent),
        expires_at=None if expires_in is None else now() + expires_in * 1000,
    )
    with _usage_errors():
        if dry_run:
            _present_dry(CreateKey(key=wanted, digest=b""), as_json=as_json)
            return
        key = mint_key(os.environ, wanted, is_first=show_secret, reason=reason)
    if as_json:
        print_document(key)
    else:
        _print_new(key)


def _print_new(key: NewKeyView) -> None:
    out.print(f"key              {key.key}")
    if key.callback_secret:
        out.print(f"callback secret  {key.callback_secret}")
    if key.expires_at:
        out.print(f"expires at       {zoned(key.expires_at)}")
    out.print("Shown this once: only a hash of the key is stored.", style="dim")


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys, without the keys themselves.

    Example: slipgate keys list
    """
    with open_operator(read_database(os.environ)) as operator:
        listed = [*map(key_view, operator.all_keys())]
    if as_json:
        print_document(listed)
    elif listed:
        print_table(_COLUMNS, map(_row, listed))
    else:
        note("no keys yet: `slipgate keys create` makes them")


def _row(key: KeyView) -> tuple[str, ...]:
    project = "(all)" if key.all_projects else key.project
    created, used, expires, revoked = (
        zoned(at) for at in (key.created_at, key.last_used_at, key.expires_at, key.revoked_at)
    )
    return key.id, key.scope, project, key.name, created, used, _limits(key), expires, revoked


def _limits(key: KeyView) -> str:
    """The rate limit in a few words; empty for the defaults."""
    limit = key.rate_limit
    rate, concurrent = limit.requests_per_second, limit.concurrent
    at_once = RateLimit(requests_per_second=rate, burst=limit.burst).most_at_once
    texts = [f"{rate:g}/s, {at_once} at once"] if rate is not None else []
    texts += [f"{concurrent} open"] if concurrent is not None else []
    return ", ".join(texts)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="key_…")],
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Revoke a key: the gateway refuses it from now on.

    Example: slipgate keys revoke key_01k… --reason="it leaked"
    """
    command = RevokeKey(key_id=key_id, stated_reason=reason)
    if dry_run:
        _present_dry(command, as_json=as_json)
        return
    with open_operator(read_database(os.environ)) as operator:
        revoked = operator.submit(command, now())
    if not revoked.is_changed:
        at = zoned(rfc3339(revoked.key.revoked_at or 0))
        raise CommandFailed(f"The key was revoked at {at} already.", "See `slipgate keys list`.")
    if as_json:
        print_document({"id": key_id, "revoked": True})
    else:
        out.print(f"revoked {key_id}")


def _present_dry(command: CreateKey | RevokeKey, *, as_json: bool) -> None:
    """Prints the key as it would be."""
    with open_operator(read_database(os.environ)) as operator:
        key = key_view(operator.dry_run(command, now()).key)
    if as_json:
        print_document(key)
    else:
        print_table(_COLUMNS, [_row(key)])
    note("dry run: nothing was changed; leave --dry-run out to do it")


@contextmanager
def _usage_errors() -> Iterator[None]:
    """A field that the rules refuse is a wrong option."""
    try:
        yield
    except ApiError as exc:
        if not exc.errors:
            raise
        first = exc.errors[0]
        raise typer.BadParameter(first.message, param_hint=_OPTIONS[first.path]) from exc
