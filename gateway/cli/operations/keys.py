"""`slipgate keys …`: API keys; the commands open the database."""

import hashlib
import os
import secrets
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, CommandFailed, print_document
from gateway.cli.console.terminal import note, out, print_table
from gateway.cli.local.state import has_master_keys, read_master_keys
from gateway.cli.operations.rewrap import rewrap
from gateway.domain.deliveries.endpoint import SECRET_BYTES
from gateway.domain.kernel.ids import RANDOM_BITS, typeid
from gateway.domain.kernel.keyring import NONCE_BYTES, Keyring
from gateway.domain.kernel.sealing import Sealed, callback_secret_context
from gateway.domain.operations.rate_limit import MAX_CONCURRENT, MAX_RATE, RateLimit
from gateway.settings import read_database
from gateway.store.sqlite.admin.operator import KeyRow, Operator, open_operator
from gateway.wire.message import Reply
from gateway.wire.signing import secret_text
from gateway.wire.times import maybe_rfc3339, rfc3339

keys: Final = typer.Typer(
    no_args_is_help=True,
    help="Create, list and revoke API keys; seal secrets under a new master key.\n\n"
    "Example: slipgate keys create --scope=tasks --name=me",
)
keys.command()(rewrap)
MAX_LABEL: Final = 100
"""Characters of the name of a key or a project."""
_COLUMNS: Final = ("id", "scope", "project", "name", "created", "limits", "revoked")


class Scope(StrEnum):
    """The permissions of a key."""

    TASKS = "tasks"
    READ = "read"
    LAUNCHER = "launcher"
    OPS = "ops"


class MintedKey(Reply, frozen=True, kw_only=True, omit_defaults=True):
    """A new key: shown once, stored only as a hash."""

    id: str
    key: str
    scope: str
    project: str
    name: str
    created_at: str
    callback_secret: str | None = None
    """The secret of a project's callbacks, with the project's first tasks key."""
    all_projects: bool = False
    rate_limit: RateLimit = RateLimit()


class ListedKey(Reply, frozen=True, kw_only=True):
    """A key in the list."""

    id: str
    scope: str
    project: str
    name: str
    created_at: str
    revoked_at: str | None
    all_projects: bool
    """True if a launcher's key serves every project, and not its own alone."""
    rate_limit: RateLimit


@keys.command()
def create(
    scope: Annotated[Scope, typer.Option(help="permissions of the key")],
    name: Annotated[str, typer.Option(help="its holder")],
    project: Annotated[str, typer.Option(help="project whose tasks it sees")] = "default",
    all_projects: Annotated[
        bool, typer.Option("--all-projects", help="let a launcher serve every project")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(min=0.001, max=MAX_RATE, help="requests per second; default: no limit"),
    ] = None,
    burst: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_RATE, help="requests at once; default: those of a second"),
    ] = None,
    concurrent: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_CONCURRENT, help="open requests, polls and streams"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a key; it is shown this once.

    Example: slipgate keys create --scope=tasks --name=me
    """
    _check_label(name, "--name")
    _check_label(project, "--project")
    if burst is not None and rate is None:
        raise typer.BadParameter("a burst needs a rate: give --rate too", param_hint="--burst")
    if all_projects and scope is not Scope.LAUNCHER:
        message = f"only a launcher's key can serve all projects, and this is for {scope}"
        raise typer.BadParameter(message, param_hint="--all-projects")
    limit = RateLimit(requests_per_second=rate, burst=burst, concurrent=concurrent)
    key = mint(os.environ, scope, project, name, all_projects=all_projects, rate_limit=limit)
    if as_json:
        print_document(key)
        return
    out.print(f"key              {key.key}")
    if key.callback_secret:
        out.print(f"callback secret  {key.callback_secret}")
    out.print("Shown this once: only a hash of the key is stored.", style="dim")


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys, without the keys themselves.

    Example: slipgate keys list
    """
    with open_operator(read_database(os.environ)) as operator:
        listed = [_listed(row) for row in operator.all_keys()]
    if as_json:
        print_document(listed)
    elif listed:
        print_table(_COLUMNS, map(_row, listed))
    else:
        note("no keys yet: `slipgate keys create` makes them")


def _listed(row: KeyRow) -> ListedKey:
    return ListedKey(
        id=row.id,
        scope=row.scope,
        project=row.project,
        name=row.name,
        created_at=rfc3339(row.created_at),
        revoked_at=maybe_rfc3339(row.revoked_at),
        all_projects=row.all_projects,
        rate_limit=row.rate_limit,
    )


def _row(key: ListedKey) -> tuple[str, ...]:
    project = "(all)" if key.all_projects else key.project
    revoked = (key.revoked_at or "")[:19]
    limits = _limits(key.rate_limit)
    return key.id, key.scope, project, key.name, key.created_at[:19], limits, revoked


def _limits(limit: RateLimit) -> str:
    """The rate limit in a few words; empty for the defaults."""
    rate, concurrent = limit.requests_per_second, limit.concurrent
    texts = [f"{rate:g}/s, {limit.most_at_once} at once"] if rate is not None else []
    texts += [f"{concurrent} open"] if concurrent is not None else []
    return ", ".join(texts)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="key_…")], as_json: AsJson = False
) -> None:
    """Revoke a key: the gateway refuses it from now on.

    Example: slipgate keys revoke key_01k…
    """
    with open_operator(read_database(os.environ)) as operator:
        was_live = operator.revoke_key(key_id, _now())
    if not was_live:
        raise CommandFailed("There is no live key of this id.", "See `slipgate keys list`.")
    if as_json:
        print_document({"id": key_id, "revoked": True})
    else:
        out.print(f"revoked {key_id}")


def mint(
    environ: Mapping[str, str],
    scope: str,
    project: str,
    name: str,
    *,
    is_first: bool = False,
    all_projects: bool = False,
    rate_limit: RateLimit = RateLimit(),  # noqa: B008 - a frozen value
) -> MintedKey:
    """A new key in the database that the environment names. It comes with the project's callback
    secret if it creates the project, or if `is_first` and the secret can be opened.

    Raises:
        SettingsError: the database or the master keys are not configured.
    """
    key = f"slip_{scope}_{secrets.token_urlsafe(32)}"
    now = _now()
    row = KeyRow(
        id=typeid("key", now, secrets.randbits(RANDOM_BITS)),
        scope=scope,
        project=project,
        name=name,
        created_at=now,
        revoked_at=None,
        all_projects=all_projects,
        rate_limit=rate_limit,
    )
    return MintedKey(
        id=row.id,
        key=key,
        scope=scope,
        project=project,
        name=name,
        created_at=rfc3339(now),
        callback_secret=_add(environ, row, key, is_first=is_first),
        all_projects=all_projects,
        rate_limit=rate_limit,
    )


def _add(environ: Mapping[str, str], row: KeyRow, key: str, *, is_first: bool) -> str | None:
    """Stores the key, and its project if that is new; returns the callback secret to show."""
    may_open_project = row.scope in (Scope.TASKS, Scope.OPS)
    ring = Keyring(read_master_keys(environ)) if may_open_project else None
    with open_operator(read_database(environ)) as operator:
        if ring is not None:
            operator.check_master_keys(ring)
        operator.add_key(row, hashlib.sha256(key.encode()).digest())
        if ring is not None and not operator.has_project(row.project):
            return _create_project(operator, row.project, ring, row.created_at)
        if ring is not None and is_first:
            return _open_secret(ring, row.project, operator.callback_secret(row.project))
    return None


def _create_project(operator: Operator, project: str, ring: Keyring, now: int) -> str:
    secret = secrets.token_bytes(SECRET_BYTES)
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = ring.seal(secret, context=callback_secret_context(project), nonce=nonce)
    operator.add_project(project, sealed, now)
    return secret_text(secret)


def callback_secret_of(environ: Mapping[str, str], key: str) -> str | None:
    """The callback secret of a key's project, for an operator who has the database and its master
    keys; None if they are not here, or the secret is being rotated."""
    if not read_database(environ).exists() or not has_master_keys(environ):
        return None
    ring = Keyring(read_master_keys(environ))
    with open_operator(read_database(environ)) as operator:
        found = operator.callback_secret_of_key(hashlib.sha256(key.encode()).digest())
    return None if found is None else _open_secret(ring, *found)


def _open_secret(ring: Keyring, project: str, sealed: Sealed | None) -> str | None:
    """The secret as text; None if its master key is missing: a gateway would not start without."""
    if sealed is None or sealed.key_id not in ring:
        return None
    return secret_text(ring.open(sealed, context=callback_secret_context(project)))


def _check_label(text: str, option: str) -> None:
    if not text.strip() or not text.isprintable() or len(text) > MAX_LABEL:
        message = f"expected one line of 1 to {MAX_LABEL} printable characters"
        raise typer.BadParameter(message, param_hint=option)


def _now() -> int:
    return time.time_ns() // 1_000_000
