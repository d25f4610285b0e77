"""The gateway's settings, read once from an environment that is handed in."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.store.location import SCHEMES, Location, PostgresAddress
from gateway.wire.authorities import Authorities
from gateway.wire.environment import NO, YES, EnvironmentReader, words
from gateway.wire.signing import secret_bytes

KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,40}")
SNAPSHOT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}")
ORIGIN: Final = re.compile(
    r"(https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?"
)
"""As `frame-ancestors` of a policy takes it."""
MIN_KEY_BYTES: Final = 32
MIN_PASSPHRASE: Final = 8
"""Characters."""
SQLITE: Final = "sqlite:///"
DEFAULT_DATABASE: Final = "sqlite:///.slipgate/slipgate.db"
POSTGRES_EXAMPLE: Final = "postgresql://user:password@host/database"
DEFAULT_SNAPSHOT: Final = "slipgate-agent-1"
MEBIBYTE: Final = 2**20
ALL: Final = "true"
LOOPBACK: Final = "loopback"
FOLLOW_UPS: Final = frozenset({"comment", "review", "check"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings of a gateway."""

    database: Location
    """A file of SQLite, or a database on a server."""
    secret_keys: Mapping[str, bytes] = field(repr=False)
    """Master keys by id, the current one first."""
    bootstrap_key_file: Path | None
    """Holds the first key of scope `ops`; made where it is missing."""
    bootstrap_launcher_key_file: Path | None
    """The same for the key of the launchers."""
    public_url: str | None
    """Sandboxes call back there; None: they only spool."""
    host: str
    port: int
    """0: any free one."""
    allowed_repos: tuple[str, ...]
    """Glob patterns; empty: any repository."""
    portal_origins: tuple[str, ...]
    """Origins whose pages may show the portal in a frame."""
    allow_private_endpoints: bool
    allow_loopback_endpoints: bool
    """Of private addresses only those of this machine."""
    allow_file_repos: bool
    daytona_webhook_secrets: tuple[bytes, ...] = field(repr=False)
    github_webhook_secrets: tuple[bytes, ...] = field(repr=False)
    follow_ups: frozenset[str]
    """Messages of GitHub that become tasks."""
    follow_up_limit: int
    concurrency_per_key: int
    workspace_wait_seconds: int
    trusted_proxies: tuple[str, ...]
    """Addresses and networks whose `X-Forwarded-For` is believed."""
    egress_proxy: str | None = field(repr=False)
    authorities: Authorities
    """Certificate authorities of receivers."""
    retention_days: int
    retention_by_month: bool
    """On a server, tasks of a month go once all of it is old, and its events with their partition.
    """
    min_free_bytes: int
    """Free space of the database's disk below which the gateway warns."""
    otlp_endpoint: str | None
    """Spans go there; None: there are none."""
    log: str
    """`json`, `console`, or empty: by whether stderr is a terminal."""
    snapshot: str
    """The snapshot of a task that names none."""
    lease_seconds: int
    stop_delay_seconds: int
    """Seconds from a signal to the stop, in which `/readyz` refuses and all else is answered."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from `environ`.

    Raises:
        SettingsError: with all problems at once.
    """
    reader = _Reader(environ)
    private = reader.private_endpoints()
    settings = Settings(
        database=reader.database(),
        secret_keys=reader.secret_keys(),
        bootstrap_key_file=reader.file("SLIPGATE_BOOTSTRAP_KEY_FILE"),
        bootstrap_launcher_key_file=reader.file("SLIPGATE_BOOTSTRAP_LAUNCHER_KEY_FILE"),
        public_url=reader.url("SLIPGATE_PUBLIC_URL", "https://slipgate.example.com"),
        host=reader.text("SLIPGATE_HOST", "127.0.0.1"),
        port=reader.port(),
        allowed_repos=reader.names("SLIPGATE_ALLOWED_REPOS"),
        portal_origins=reader.origins("SLIPGATE_PORTAL_ORIGINS"),
        allow_private_endpoints=private == ALL,
        allow_loopback_endpoints=private == LOOPBACK,
        allow_file_repos=reader.flag("SLIPGATE_ALLOW_FILE_REPOS"),
        daytona_webhook_secrets=reader.svix_secrets("SLIPGATE_DAYTONA_WEBHOOK_SECRETS"),
        github_webhook_secrets=reader.passphrases("SLIPGATE_GITHUB_WEBHOOK_SECRETS"),
        follow_ups=reader.follow_ups(),
        follow_up_limit=reader.number("SLIPGATE_GITHUB_FOLLOW_UP_LIMIT", 10, 1, 100),
        concurrency_per_key=reader.number("SLIPGATE_CONCURRENCY_PER_KEY", 1, 1, 1_000),
        workspace_wait_seconds=reader.number("SLIPGATE_WORKSPACE_WAIT_SECONDS", 20, 0, 300),
        trusted_proxies=reader.networks("SLIPGATE_TRUSTED_PROXIES"),
        egress_proxy=reader.url("SLIPGATE_EGRESS_PROXY", "http://proxy.internal:3128"),
        authorities=Authorities.of_environ(environ),
        retention_days=reader.number("SLIPGATE_RETENTION_DAYS", 30, 1, 3_650),
        retention_by_month=reader.flag("SLIPGATE_RETENTION_BY_MONTH"),
        min_free_bytes=reader.number("SLIPGATE_MIN_FREE_MIB", 1_024, 0, 1_048_576) * MEBIBYTE,
        otlp_endpoint=reader.otlp_endpoint(),
        log=reader.log_format(),
        snapshot=reader.matching(
            "SLIPGATE_SNAPSHOT",
            SNAPSHOT,
            DEFAULT_SNAPSHOT,
            "the name of a snapshot, like slipgate-agent-1",
        ),
        lease_seconds=reader.number("SLIPGATE_LEASE_SECONDS", 60, 1, 3_600),
        stop_delay_seconds=reader.number("SLIPGATE_STOP_DELAY_SECONDS", 0, 0, 300),
    )
    reader.check()
    return settings


def read_database(environ: Mapping[str, str]) -> Location:
    """The database alone, for commands that open it themselves.

    Raises:
        SettingsError: the address is not one we can open.
    """
    reader = _Reader(environ)
    database = reader.database()
    reader.check()
    return database


def read_secret_keys(environ: Mapping[str, str]) -> Mapping[str, bytes]:
    """The master keys alone, the current one first.

    Raises:
        SettingsError: there is none, or one is malformed.
    """
    reader = _Reader(environ)
    keys = reader.secret_keys()
    reader.check()
    return keys


class _Reader(EnvironmentReader):
    """The variables of which only the gateway knows the form."""

    def otlp_endpoint(self) -> str | None:
        """The address of OpenTelemetry's own variables; the SDK reads the others of them."""
        own, example = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318"
        base = self.url("OTEL_EXPORTER_OTLP_ENDPOINT", example)
        return self.url(own, f"{example}/v1/traces") or (base and f"{base}/v1/traces")

    def database(self) -> Location:
        url = self.text("SLIPGATE_DATABASE_URL", DEFAULT_DATABASE)
        session_url = self.text("SLIPGATE_DATABASE_SESSION_URL")
        if url.startswith(SCHEMES):
            return self._postgres(url, session_url)
        path = url.removeprefix(SQLITE)
        if not url.startswith(SQLITE) or not path:
            self.problems.append(
                "SLIPGATE_DATABASE_URL must be sqlite:///relative/path, sqlite:////absolute/path "
                f"or {POSTGRES_EXAMPLE}"
            )
        return Path(path)

    def _postgres(self, url: str, session_url: str) -> Location:
        try:
            return PostgresAddress.parse(url, session_url)
        except ImportError:
            self.problems.append(
                "SLIPGATE_DATABASE_URL names a PostgreSQL database, which needs psycopg: "
                "pip install 'slipgate[postgres]'"
            )
        except ValueError:
            # The address is never repeated here: it may hold a password.
            self.problems.append(
                "SLIPGATE_DATABASE_URL (and SLIPGATE_DATABASE_SESSION_URL, if it is set) must be "
                f"like {POSTGRES_EXAMPLE}, with / and @ in a password written as %2F and %40"
            )
        return Path()

    def file(self, name: str) -> Path | None:
        return Path(text) if (text := self.text(name)) else None

    def follow_ups(self) -> frozenset[str]:
        kinds = frozenset(self.names("SLIPGATE_GITHUB_FOLLOW_UPS"))
        if not kinds <= FOLLOW_UPS:
            self.problems.append(
                f"SLIPGATE_GITHUB_FOLLOW_UPS must name some of {', '.join(sorted(FOLLOW_UPS))}"
            )
        return kinds

    def private_endpoints(self) -> str:
        """`true`, `loopback`, or empty."""
        name = "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS"
        text = self.text(name).lower()
        if text not in (*YES, *NO, LOOPBACK):
            self.problems.append(f"{name} must be true, false, or loopback (this machine alone)")
        return text if text == LOOPBACK else ALL if text in YES else ""

    def secret_keys(self) -> dict[str, bytes]:
        known = len(self.problems)
        entries = words(self.secret("SLIPGATE_SECRET_KEYS"))
        if not entries and len(self.problems) == known:
            self.problems.append(
                "SLIPGATE_SECRET_KEYS is not set: it must be '<key id>:<base64 of 32 bytes "
                "or more>', for example k1:$(openssl rand -base64 32); or let "
                "SLIPGATE_SECRET_KEYS_FILE name a file, which is made at the first start"
            )
        keys: dict[str, bytes] = {}
        for number, entry in enumerate(entries, start=1):
            key_id, _, encoded = entry.partition(":")
            secret = _decode_key(encoded)
            if not KEY_ID.fullmatch(key_id) or secret is None or key_id in keys:
                # The entry is never repeated here: it may be the secret itself.
                self.problems.append(
                    f"SLIPGATE_SECRET_KEYS: entry {number} must be '<key id>:<base64 of 32 "
                    "bytes or more>' with a key id of its own (A-Z a-z 0-9 . _ -)"
                )
                continue
            keys[key_id] = secret
        return keys

    def svix_secrets(self, name: str) -> tuple[bytes, ...]:
        secrets: list[bytes] = []
        for number, entry in enumerate(self.names(name), start=1):
            try:
                secrets.append(secret_bytes(entry))
            except ValueError as exc:
                self.problems.append(f"{name}: entry {number}: {exc}")
        return tuple(secrets)

    def passphrases(self, name: str) -> tuple[bytes, ...]:
        entries = self.names(name)
        for number, entry in enumerate(entries, start=1):
            if len(entry) < MIN_PASSPHRASE:
                self.problems.append(
                    f"{name}: entry {number} must have {MIN_PASSPHRASE} characters or more, "
                    "for example $(openssl rand -hex 32)"
                )
        return tuple(entry.encode() for entry in entries)

    def port(self) -> int:
        name = "SLIPGATE_PORT" if self.text("SLIPGATE_PORT") else "PORT"
        return self.number(name, 8700, 0, 65_535)

    def networks(self, name: str) -> tuple[str, ...]:
        networks = self.names(name)
        if not all(map(_is_network, networks)):
            self.problems.append(f"{name} must be addresses or networks, like 10.0.0.0/8,192.0.2.7")
        return networks

    def origins(self, name: str) -> tuple[str, ...]:
        origins = self.names(name)
        if not all(map(ORIGIN.fullmatch, origins)):
            self.problems.append(
                f"{name} must be origins like https://app.example, without a path; http only on "
                "this machine, like http://localhost:3000"
            )
        return origins


def _decode_key(encoded: str) -> bytes | None:
    try:
        secret = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if len(secret) >= MIN_KEY_BYTES else None


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
