"""The launcher's settings, read once from an environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.wire.environment import EnvironmentReader, SettingsError, is_http_url, is_loopback
from launcher.egress import EGRESS_PROXY, Egress
from launcher.forwarded_env import check_confinement, read_forwarded_env
from launcher.kubernetes_settings import KubernetesSettings, read_kubernetes
from launcher.sandbox_env import VARIABLE_NAME

PROVIDERS: Final = ("daytona-api", "daytona-cli", "docker", "github-actions", "kubernetes", "local")
DAYTONA: Final = ("daytona-api", "daytona-cli")
DAYTONA_URL: Final = "https://app.daytona.io/api"
TTL_MINUTES: Final = 48 * 60
"""A task runs for 24 h at most and is kept as long: an older sandbox is a leak."""
TTL_MINUTES_MAX: Final = 366 * 24 * 60
GITHUB_URL: Final = "https://api.github.com"
DEFAULT_WORKFLOW: Final = "slipgate.yml"
DEFAULT_PROVIDERS: Final = "daytona-api,daytona-cli"
DEFAULT_STATE: Final = "./.slipgate/launcher"
ALWAYS_HIDDEN: Final = (
    "./.slipgate",
    *("~/.ssh", "~/.gnupg", "~/.netrc", "~/.git-credentials", "~/.config/gh", "~/.npmrc"),
    *("~/.pypirc", "~/.cargo/credentials.toml", "~/.docker", "~/.kube", "~/.aws", "~/.azure"),
    *("~/.config/gcloud", "~/.config/daytona", "~/.claude", "~/.claude.json", "~/.codex"),
    *("~/.config/git", "~/.gitconfig", "~/.config/opencode", "~/.local/share/opencode"),
    *("~/.local/share/keyrings", "~/.password-store", "~/.gem/credentials", "~/.terraform.d"),
    *("./.env.gateway", "./.env.launcher", "./.env.frontend"),
    *("./.env", "./.env.local", "~/.env", "~/.profile", "~/.bash_profile", "~/.bash_history"),
    *("~/.bashrc", "~/.zshenv", "~/.zprofile", "~/.zshrc", "~/.zsh_history", "~/.config/fish"),
)
"""Keys of a gateway and credentials of a developer's machine; exported keys are in the files and
the history of a shell."""
CAPACITY_MAX: Final = 200

REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
WORKFLOW: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\.ya?ml")
REF: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,250}")
REALM: Final = re.compile(r"[^\s@]{0,200}")
APP_ID: Final = re.compile(r"[1-9]\d{0,18}|Iv[A-Za-z0-9.]{8,40}")
APP_KEY: Final = "the private key of the GitHub App, as GitHub made it: RSA, in PEM"
APP_KEY_BITS: Final = 2048
MEMORY: Final = re.compile(r"[1-9]\d{0,12}[bkmg]?", re.IGNORECASE)
CPUS: Final = re.compile(r"\d{1,4}(\.\d{1,3})?")
DAYTONA_KEY: Final = (
    "a key of your organisation with the scopes write:sandboxes and delete:sandboxes "
    "(without Daytona: SLIPGATE_PROVIDERS=docker runs agents in containers of this host)"
)
ACTIONS_GRANT: Final = (
    "a token that may start the workflow (SLIPGATE_GITHUB_ACTIONS_TOKEN goes before "
    "it): fine-grained, for that repository alone, with Actions: read and write"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateOptions:
    """Options of a create at Daytona that do not come with the job."""

    target: str | None = None
    """A region; None: the organisation's default."""
    ttl_minutes: int | None = None
    """Lifespan in any state, the last safeguard against leaks; None: no limit."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable → name of the Daytona Secret that replaces it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DaytonaSettings:
    """Daytona's API, and the options of its sandboxes."""

    api_key: str = field(repr=False)
    api_url: str
    snapshot: str | None
    """For jobs that name none, and for `doctor --live`."""
    create: CreateOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerSettings:
    """Images and limits of containers."""

    images: Mapping[str, str]
    """Snapshot → image, if the image has another name."""
    memory: str
    """As docker writes it: `4g`."""
    cpus: str
    pids: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GitHubActionsSettings:
    """The workflow that runs the jobs."""

    repository: str
    """`owner/name`."""
    token: str = field(repr=False)
    workflow: str
    """File name under `.github/workflows/`."""
    ref: str
    """Branch whose version of the workflow runs."""
    api_url: str
    realm: str
    """SLIPGATE_REALM of the workflow's launcher."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GitHubAppSettings:
    """A GitHub App, whose installations give the tokens of sandboxes."""

    app_id: str
    """Its number, or its client id."""
    private_key: RSAPrivateKey = field(repr=False)
    api_url: str
    may_change_workflows: bool = False
    """True: tokens may change files under `.github/workflows`, where the installation may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Settings of one launcher."""

    url: str
    api_key: str = field(repr=False)
    providers: tuple[str, ...]
    capacity: int
    """Concurrent create jobs."""
    realm: str | None
    forwarded_env: Mapping[str, str] = field(repr=False)
    """Variables of the launcher that are passed on to sandboxes."""
    state: Path
    hidden: tuple[Path, ...]
    """Paths of this host that commands of a local agent cannot read."""
    daytona: DaytonaSettings | None
    """None: no provider needs it."""
    docker: DockerSettings
    kubernetes: KubernetesSettings
    github_actions: GitHubActionsSettings | None
    github_app: GitHubAppSettings | None
    log: str
    """`json`, `console`, or empty: console if stderr is a terminal."""
    egress: Egress


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from `environ`; raises `SettingsError` with all problems at once."""
    settings, problems = inspect_settings(environ)
    if problems:
        raise SettingsError(problems)
    return settings


def inspect_settings(environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """Every setting that can be read, and the problems of the others, which are empty."""
    reader = _Reader(environ)
    forwarded_env = read_forwarded_env(reader)
    providers = reader.providers()
    check_confinement(reader, providers, forwarded_env)
    ttl_minutes = reader.ttl_minutes()
    settings = Settings(
        url=reader.gateway_url(),
        api_key=reader.api_key(),
        providers=providers,
        capacity=reader.number("SLIPGATE_CAPACITY", 4, 1, CAPACITY_MAX),
        realm=reader.realm(),
        forwarded_env=forwarded_env,
        state=Path(reader.text("SLIPGATE_LAUNCHER_STATE", DEFAULT_STATE)).resolve(),
        hidden=reader.hidden(),
        daytona=reader.daytona(providers, ttl_minutes),
        docker=reader.docker(),
        kubernetes=read_kubernetes(reader, ttl_minutes),
        github_actions=reader.github_actions(providers),
        github_app=reader.github_app(),
        log=reader.log_format(),
        egress=reader.egress(),
    )
    return settings, reader.problems


def read_daytona(environ: Mapping[str, str]) -> DaytonaSettings:
    """Daytona's settings alone, for commands that need no gateway; raises `SettingsError`."""
    reader = _Reader(environ)
    daytona = reader.daytona(DAYTONA, reader.ttl_minutes())
    if daytona is None or reader.problems:
        raise SettingsError(reader.problems)
    return daytona


class _Reader(EnvironmentReader):
    """The variables whose form only the launcher knows."""

    def hidden(self) -> tuple[Path, ...]:
        """Separated by colons, as in PATH; `~` is HOME."""
        named = filter(None, self.text("SLIPGATE_HIDDEN").split(":"))
        return tuple(_absolute(path, self.text("HOME")) for path in (*ALWAYS_HIDDEN, *named))

    def gateway_url(self) -> str:
        expected = "the gateway's address, for example http://127.0.0.1:8700"
        url = self.required("SLIPGATE_URL", expected)
        if url and not is_http_url(url):
            self.problems.append(
                f"SLIPGATE_URL is not an http or https address: it must be {expected}"
            )
        elif "@" in urlsplit(url).netloc:
            # It would be sent in place of the key, and shown wherever the address is.
            self.problems.append(
                f"SLIPGATE_URL holds a user name or password: it must be {expected}"
            )
        return url.rstrip("/")

    def api_key(self) -> str:
        known = len(self.problems)
        key = self.secret("SLIPGATE_API_KEY")
        if not key and len(self.problems) == known:
            self.problems.append(
                "SLIPGATE_API_KEY is not set: it must be a key with scope launcher"
            )
        return key

    def realm(self) -> str | None:
        expected = "1 to 200 characters, no space and no @"
        return self.matching("SLIPGATE_REALM", REALM, "", expected) or None

    def egress(self) -> Egress:
        egress = Egress.of_environ(self.environ)
        if self.text(EGRESS_PROXY) and egress.proxy is None:
            self.problems.append(
                f"{EGRESS_PROXY} must be an http or https address, for example "
                "http://proxy.internal:3128"
            )
        return egress

    def providers(self) -> tuple[str, ...]:
        providers = self.names("SLIPGATE_PROVIDERS", DEFAULT_PROVIDERS)
        unknown = [name for name in providers if name not in PROVIDERS]
        if unknown or not providers:
            self.problems.append(
                f"SLIPGATE_PROVIDERS names {', '.join(unknown) or 'nothing'}; there are: "
                f"{', '.join(PROVIDERS)}. `local` runs agents on this very host"
            )
        falls_back = self.flag("DAYTONA_USE_CLI_FALLBACK")
        if falls_back and "daytona-api" in providers and "daytona-cli" not in providers:
            index = providers.index("daytona-api") + 1
            providers = (*providers[:index], "daytona-cli", *providers[index:])
        return providers

    def ttl_minutes(self) -> int | None:
        """None: no limit."""
        return (
            self.number(
                "SLIPGATE_SANDBOX_TTL_MINUTES",
                TTL_MINUTES,
                0,
                TTL_MINUTES_MAX,
                f"a number of minutes up to {TTL_MINUTES_MAX}: Daytona or the cluster ends a "
                "sandbox of that age in any state; 0 sets no such limit",
            )
            or None
        )

    def daytona(
        self, providers: tuple[str, ...], ttl_minutes: int | None
    ) -> DaytonaSettings | None:
        if not set(providers) & set(DAYTONA):
            return None
        return DaytonaSettings(
            api_key=self.required("DAYTONA_API_KEY", DAYTONA_KEY),
            api_url=self.url("DAYTONA_API_URL", DAYTONA_URL, DAYTONA_URL) or "",
            snapshot=self.text("DAYTONA_SNAPSHOT_NAME") or None,
            create=self._create_options(ttl_minutes),
        )

    def _create_options(self, ttl_minutes: int | None) -> CreateOptions:
        return CreateOptions(
            target=self.text("DAYTONA_TARGET") or None,
            secrets=self.pairs(
                "SLIPGATE_DAYTONA_SECRETS",
                "OPENAI_API_KEY=name-of-the-secret",
                lambda name, secret: bool(VARIABLE_NAME.fullmatch(name) and secret),
            ),
            ttl_minutes=ttl_minutes,
        )

    def docker(self) -> DockerSettings:
        return DockerSettings(
            images=self.pairs(
                "SLIPGATE_DOCKER_IMAGES",
                "slipgate-agent-1=ghcr.io/acme/agent:12",
                lambda snapshot, image: bool(snapshot and image and not image.startswith("-")),
            ),
            memory=self.matching("SLIPGATE_DOCKER_MEMORY", MEMORY, "4g"),
            cpus=self.matching("SLIPGATE_DOCKER_CPUS", CPUS, "2"),
            pids=self.number("SLIPGATE_DOCKER_PIDS", 1024, 16, 4_000_000),
        )

    def github_actions(self, providers: tuple[str, ...]) -> GitHubActionsSettings | None:
        if "github-actions" not in providers:
            return None
        if len(providers) > 1:
            self.problems.append(
                "SLIPGATE_PROVIDERS names github-actions and others: it stands alone. The chain of "
                "providers is that of the workflow's own launcher"
            )
        return GitHubActionsSettings(
            repository=self.matching(
                "SLIPGATE_GITHUB_ACTIONS_REPO", REPOSITORY, "", "a value like acme/slipgate"
            ),
            token=self.text("SLIPGATE_GITHUB_ACTIONS_TOKEN")
            or self.required("GITHUB_TOKEN", ACTIONS_GRANT),
            workflow=self.matching("SLIPGATE_GITHUB_ACTIONS_WORKFLOW", WORKFLOW, DEFAULT_WORKFLOW),
            ref=self.matching("SLIPGATE_GITHUB_ACTIONS_REF", REF, "main"),
            api_url=self.url("SLIPGATE_GITHUB_ACTIONS_API_URL", GITHUB_URL, GITHUB_URL) or "",
            realm=self.required(
                "SLIPGATE_REALM",
                "the realm of the workflow's launcher, for whose jobs this one asks: a name of "
                "your own, the same here and in the repository's variables",
            ),
        )

    def github_app(self) -> GitHubAppSettings | None:
        path, text = (
            self.text("SLIPGATE_GITHUB_APP_PRIVATE_KEY_FILE"),
            self.text("SLIPGATE_GITHUB_APP_PRIVATE_KEY"),
        )
        app_id, url = self.text("SLIPGATE_GITHUB_APP_ID"), self.text("GITHUB_API_URL", GITHUB_URL)
        may_change_workflows = self.flag("SLIPGATE_GITHUB_APP_WORKFLOWS")
        if not (app_id or path or text):
            return None
        self.matching("SLIPGATE_GITHUB_APP_ID", APP_ID, "", "the App's number or its client id")
        if not is_http_url(url) or not (url.startswith("https://") or is_loopback(url)):
            self.problems.append(f"GITHUB_API_URL must be an https address, like {GITHUB_URL}")
        key = self._github_app_key(path, text)
        if key is None:
            return None
        return GitHubAppSettings(
            app_id=app_id,
            private_key=key,
            api_url=url.rstrip("/"),
            may_change_workflows=may_change_workflows,
        )

    def _github_app_key(self, path: str, text: str) -> RSAPrivateKey | None:
        name = "SLIPGATE_GITHUB_APP_PRIVATE_KEY_FILE" if path else "SLIPGATE_GITHUB_APP_PRIVATE_KEY"
        if bool(path) == bool(text):
            self.problems.append(
                "SLIPGATE_GITHUB_APP_PRIVATE_KEY_FILE or SLIPGATE_GITHUB_APP_PRIVATE_KEY must be "
                f"set, and not both: {APP_KEY}"
            )
            return None
        try:
            # A file of variables often has line breaks as two characters.
            pem = Path(path).read_bytes() if path else text.replace("\\n", "\n").encode()
            key = load_pem_private_key(pem, None)
        except OSError as error:
            self.problems.append(f"{name} cannot be read: {error.strerror}")
            return None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if isinstance(key, RSAPrivateKey) and key.key_size >= APP_KEY_BITS:
            return key
        self.problems.append(f"{name} must be {APP_KEY}")
        return None


def _absolute(path: str, home: str) -> Path:
    return Path(f"{home}{path[1:]}" if home and path.startswith("~/") else path).absolute()
