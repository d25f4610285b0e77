"""The launcher's settings, read once from an environment that is handed in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from launcher.egress import EGRESS_PROXY, Egress
from launcher.sandbox_env import real_model_keys

PROVIDERS = ("daytona-api", "daytona-cli", "docker", "github-actions", "local")
DAYTONA = ("daytona-api", "daytona-cli")
DEFAULT_DAYTONA_URL = "https://app.daytona.io/api"
TTL_MINUTES = 48 * 60
"""The longest a task may run and be kept is 24 h each: whatever lives longer is forgotten by us."""
TTL_MINUTES_MAX = 366 * 24 * 60
DEFAULT_GITHUB_URL = "https://api.github.com"
DEFAULT_WORKFLOW = "slipgate.yml"
DEFAULT_PROVIDERS = "daytona-api,daytona-cli"
DEFAULT_SANDBOX_ENV = "OPENAI_API_KEY,ANTHROPIC_API_KEY,OPENROUTER_API_KEY,GITHUB_TOKEN"
DEFAULT_STATE = "./.slipgate/launcher"
ALWAYS_HIDDEN = (
    "./.slipgate",
    *("~/.ssh", "~/.gnupg", "~/.netrc", "~/.git-credentials", "~/.config/gh", "~/.npmrc"),
    *("~/.pypirc", "~/.cargo/credentials.toml", "~/.docker", "~/.kube", "~/.aws", "~/.azure"),
    *("~/.config/gcloud", "~/.config/daytona", "~/.claude", "~/.claude.json", "~/.codex"),
    *("~/.config/git", "~/.gitconfig", "~/.config/opencode", "~/.local/share/opencode"),
    *("~/.local/share/keyrings", "~/.password-store", "~/.gem/credentials", "~/.terraform.d"),
    *("./.env", "./.env.local", "~/.env", "~/.profile", "~/.bash_profile", "~/.bash_history"),
    *("~/.bashrc", "~/.zshenv", "~/.zprofile", "~/.zshrc", "~/.zsh_history", "~/.config/fish"),
)
"""Where a gateway keeps its keys, and a developer's machine its credentials; keys that somebody
exports in a shell stand in its files and its history."""
CAPACITY_MAX = 200

VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
WORKFLOW = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\.ya?ml")
REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,250}")
REALM = re.compile(r"[^\s@]{1,200}")
MEMORY = re.compile(r"[1-9]\d{0,12}[bkmg]?", re.IGNORECASE)
CPUS = re.compile(r"\d{1,4}(\.\d{1,3})?")
YES, NO = ("true", "1", "yes"), ("", "false", "0", "no")


class ConfigurationError(Exception):
    """Everything that is wrong with the environment, one line per variable."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True, slots=True)
class DaytonaConfig:
    """How Daytona is reached, and what its sandboxes get."""

    api_key: str = field(repr=False)
    api_url: str
    target: str | None
    """A region; None: the organisation's own."""
    snapshot: str | None
    """For jobs that name none, and for `doctor --live`."""
    secrets: Mapping[str, str]
    """Variable → the name of the Daytona Secret that stands for it."""
    ttl_minutes: int | None = TTL_MINUTES
    """From a sandbox's creation to its end in any state; None: it is not asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerConfig:
    """What its containers are made from, and what each may take of the host."""

    images: Mapping[str, str]
    """Snapshot → image, where the image has another name."""
    memory: str
    """As docker writes it: `4g`."""
    cpus: str
    pids: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GitHubActionsConfig:
    """The workflow that does the jobs."""

    repository: str
    """`owner/name`."""
    token: str = field(repr=False)
    workflow: str
    """Its file's name under `.github/workflows/`."""
    ref: str
    """The branch whose version runs."""
    api_url: str
    realm: str
    """The one that the workflow's launcher says it is in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """What a launcher has to know to work."""

    url: str
    api_key: str = field(repr=False)
    providers: tuple[str, ...]
    capacity: int
    """Create jobs worked on at a time."""
    realm: str | None
    forwarded_env: Mapping[str, str] = field(repr=False)
    """The launcher's own variables that sandboxes may get."""
    state: Path
    hidden: tuple[Path, ...]
    """Paths of this host that no command of a local agent may read."""
    daytona: DaytonaConfig | None
    """None: no provider of the chain needs it."""
    docker: DockerConfig
    github_actions: GitHubActionsConfig | None
    log: str
    """`json`, `console`, or empty: by whether stderr is a terminal."""
    egress: Egress


def read_config(environ: Mapping[str, str]) -> Config:
    """Settings from `environ`; raises `ConfigurationError` with all problems at once."""
    config, problems = inspect_config(environ)
    if problems:
        raise ConfigurationError(problems)
    return config


def inspect_config(environ: Mapping[str, str]) -> tuple[Config, list[str]]:
    """What can be read, and what is wrong with the rest: there stand empty words."""
    reader = _Reader(environ)
    forwarded_env = reader.forwarded_env()
    providers = reader.providers()
    reader.confinement(providers, forwarded_env)
    config = Config(
        url=reader.url(),
        api_key=reader.required("SLIPGATE_API_KEY", "a key with scope launcher"),
        providers=providers,
        capacity=reader.capacity(),
        realm=reader.realm(),
        forwarded_env=forwarded_env,
        state=Path(reader.text("SLIPGATE_LAUNCHER_STATE") or DEFAULT_STATE).resolve(),
        hidden=reader.hidden(),
        daytona=reader.daytona(providers),
        docker=reader.docker(),
        github_actions=reader.github_actions(providers),
        log=reader.log(),
        egress=reader.egress(),
    )
    return config, reader.problems


def read_daytona(environ: Mapping[str, str]) -> DaytonaConfig:
    """Daytona's settings alone, for commands that need no gateway.

    Raises:
        ConfigurationError: with all problems at once.
    """
    reader = _Reader(environ)
    daytona = reader.daytona(DAYTONA)
    if daytona is None or reader.problems:
        raise ConfigurationError(reader.problems)
    return daytona


class _Reader:
    """Reads variables one by one and remembers what was wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        return self.environ.get(name, "").strip()

    def required(self, name: str, what: str) -> str:
        if not (value := self.text(name)):
            self.problems.append(f"{name} is not set: it must be {what}")
        return value

    def names(self, name: str, default: str) -> tuple[str, ...]:
        listed = self.environ.get(name, default).split(",")
        return tuple(dict.fromkeys(word.strip() for word in listed if word.strip()))

    def hidden(self) -> tuple[Path, ...]:
        """As PATH names its folders; `~` is the home of whoever runs this."""
        named = filter(None, self.text("SLIPGATE_HIDDEN").split(":"))
        return tuple(_absolute(path, self.text("HOME")) for path in (*ALWAYS_HIDDEN, *named))

    def url(self) -> str:
        what = "the gateway's address, for example http://127.0.0.1:8700"
        url = self.required("SLIPGATE_URL", what)
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
            self.problems.append(f"SLIPGATE_URL is not an http or https address: it must be {what}")
        elif "@" in urlsplit(url).netloc:
            # It would be sent in place of the key, and shown wherever the address is.
            self.problems.append(f"SLIPGATE_URL holds a user name or password: it must be {what}")
        return url.rstrip("/")

    def capacity(self) -> int:
        text = self.text("SLIPGATE_CAPACITY") or "4"
        if text.isascii() and text.isdigit() and 1 <= int(text) <= CAPACITY_MAX:
            return int(text)
        self.problems.append(f"SLIPGATE_CAPACITY must be a number from 1 to {CAPACITY_MAX}")
        return 1

    def realm(self) -> str | None:
        realm = self.text("SLIPGATE_REALM")
        if realm and not REALM.fullmatch(realm):
            self.problems.append("SLIPGATE_REALM must have 1 to 200 characters, no space and no @")
        return realm or None

    def egress(self) -> Egress:
        egress = Egress.of_environ(self.environ)
        if self.text(EGRESS_PROXY) and egress.proxy is None:
            self.problems.append(
                f"{EGRESS_PROXY} must be an http or https address, for example "
                "http://proxy.internal:3128"
            )
        return egress

    def log(self) -> str:
        log = self.text("SLIPGATE_LOG")
        if log not in ("", "json", "console"):
            self.problems.append("SLIPGATE_LOG must be json or console")
        return log

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
            place = providers.index("daytona-api") + 1
            providers = (*providers[:place], "daytona-cli", *providers[place:])
        return providers

    def daytona(self, providers: tuple[str, ...]) -> DaytonaConfig | None:
        if not set(providers) & set(DAYTONA):
            return None
        key = self.required(
            "DAYTONA_API_KEY",
            "a key of your organisation with the scopes write:sandboxes and delete:sandboxes "
            "(without Daytona: SLIPGATE_PROVIDERS=docker runs agents in containers of this host)",
        )
        return DaytonaConfig(
            api_key=key,
            api_url=self.address("DAYTONA_API_URL", DEFAULT_DAYTONA_URL),
            target=self.text("DAYTONA_TARGET") or None,
            snapshot=self.text("DAYTONA_SNAPSHOT_NAME") or None,
            secrets=self.secrets(),
            ttl_minutes=self.ttl_minutes(),
        )

    def ttl_minutes(self) -> int | None:
        text = self.text("SLIPGATE_SANDBOX_TTL_MINUTES") or str(TTL_MINUTES)
        if text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= TTL_MINUTES_MAX:
            return int(text) or None
        self.problems.append(
            f"SLIPGATE_SANDBOX_TTL_MINUTES must be a number of minutes up to {TTL_MINUTES_MAX}: "
            "Daytona ends a sandbox that is so old in any state; 0 asks for no such end"
        )
        return TTL_MINUTES

    def docker(self) -> DockerConfig:
        pids = self.text("SLIPGATE_DOCKER_PIDS") or "1024"
        if not (pids.isascii() and pids.isdigit() and 16 <= int(pids) <= 4_000_000):
            self.problems.append("SLIPGATE_DOCKER_PIDS must be a number from 16: processes at once")
            pids = "1024"
        return DockerConfig(
            images=self.images(),
            memory=self.like("SLIPGATE_DOCKER_MEMORY", MEMORY, "4g"),
            cpus=self.like("SLIPGATE_DOCKER_CPUS", CPUS, "2"),
            pids=int(pids),
        )

    def github_actions(self, providers: tuple[str, ...]) -> GitHubActionsConfig | None:
        if "github-actions" not in providers:
            return None
        if len(providers) > 1:
            self.problems.append(
                "SLIPGATE_PROVIDERS names github-actions and others: it stands alone. The chain of "
                "providers is that of the workflow's own launcher"
            )
        return GitHubActionsConfig(
            repository=self.like("SLIPGATE_GITHUB_ACTIONS_REPO", REPOSITORY, "", "acme/slipgate"),
            token=self.text("SLIPGATE_GITHUB_ACTIONS_TOKEN")
            or self.required(
                "GITHUB_TOKEN",
                "a token that may start the workflow (SLIPGATE_GITHUB_ACTIONS_TOKEN goes before "
                "it): fine-grained, for that repository alone, with Actions: read and write",
            ),
            workflow=self.like("SLIPGATE_GITHUB_ACTIONS_WORKFLOW", WORKFLOW, DEFAULT_WORKFLOW),
            ref=self.like("SLIPGATE_GITHUB_ACTIONS_REF", REF, "main"),
            api_url=self.address("SLIPGATE_GITHUB_ACTIONS_API_URL", DEFAULT_GITHUB_URL),
            realm=self.required(
                "SLIPGATE_REALM",
                "the realm of the workflow's launcher, for whose jobs this one asks: a name of "
                "your own, the same here and in the repository's variables",
            ),
        )

    def images(self) -> dict[str, str]:
        pairs = [pair.partition("=") for pair in self.names("SLIPGATE_DOCKER_IMAGES", "")]
        if any(not snapshot or not image or image.startswith("-") for snapshot, _, image in pairs):
            self.problems.append(
                "SLIPGATE_DOCKER_IMAGES must be pairs like slipgate-agent-1=ghcr.io/acme/agent:12"
            )
        return {snapshot: image for snapshot, _, image in pairs}

    def like(
        self, name: str, pattern: re.Pattern[str], default: str, example: str | None = None
    ) -> str:
        value = self.text(name) or default
        if not pattern.fullmatch(value):
            self.problems.append(f"{name} must be a value like {example or default}")
        return value

    def address(self, name: str, default: str) -> str:
        url = self.text(name) or default
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            self.problems.append(f"{name} must be an address like {default}")
        return url.rstrip("/")

    def secrets(self) -> dict[str, str]:
        pairs = [pair.partition("=") for pair in self.names("SLIPGATE_DAYTONA_SECRETS", "")]
        if any(not VARIABLE_NAME.fullmatch(name) or not secret for name, _, secret in pairs):
            self.problems.append(
                "SLIPGATE_DAYTONA_SECRETS must be pairs like OPENAI_API_KEY=name-of-the-secret"
            )
        return {name: secret for name, _, secret in pairs}

    def flag(self, name: str) -> bool:
        value = self.text(name).lower()
        if value not in YES + NO:
            self.problems.append(f"{name} must be true or false")
        return value in YES

    def forwarded_env(self) -> dict[str, str]:
        names = self.names("SLIPGATE_SANDBOX_ENV", DEFAULT_SANDBOX_ENV)
        for name in names:
            if not VARIABLE_NAME.fullmatch(name):
                self.problems.append("SLIPGATE_SANDBOX_ENV must be names of variables, not values")
            elif name.startswith("SLIPGATE_"):
                self.problems.append(
                    f"SLIPGATE_SANDBOX_ENV names {name}: what is the launcher's own stays here"
                )
        return {name: self.environ[name] for name in names if self.environ.get(name)}

    def confinement(self, providers: tuple[str, ...], forwarded_env: Mapping[str, str]) -> None:
        understood = self.flag("SLIPGATE_LOCAL_UNCONFINED")
        keys = real_model_keys(forwarded_env)
        if "local" in providers and keys and not understood:
            self.problems.append(
                f"SLIPGATE_LOCAL_UNCONFINED is not true, and {', '.join(keys)} would be handed to "
                "agents that run on this host without a sandbox. Set it to true if you accept "
                "that they can read and change everything you can"
            )


def _absolute(path: str, home: str) -> Path:
    return Path(f"{home}{path[1:]}" if home and path.startswith("~/") else path).absolute()
