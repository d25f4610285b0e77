"""The launcher's settings, read once from an environment that is handed in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from launcher.environment import real_model_keys

PROVIDERS_BUILT = ("local",)
DEFAULT_PROVIDERS = "daytona-api,daytona-cli"
DEFAULT_SANDBOX_ENV = "OPENAI_API_KEY,ANTHROPIC_API_KEY,OPENROUTER_API_KEY,GITHUB_TOKEN"
DEFAULT_STATE = "./.slipgate/launcher"
CAPACITY_MAX = 200

VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
REALM = re.compile(r"[^\s@]{1,200}")
YES, NO = ("true", "1", "yes"), ("", "false", "0", "no")


class ConfigurationError(Exception):
    """Everything that is wrong with the environment, one line per variable."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """What a launcher has to know to work."""

    url: str
    api_key: str = field(repr=False)
    providers: tuple[str, ...]
    capacity: int
    """Create jobs worked on at a time."""
    realm: str | None
    handed: Mapping[str, str] = field(repr=False)
    """The launcher's own variables that sandboxes may get."""
    state: Path
    log: str
    """`json`, `console`, or empty: by whether stderr is a terminal."""


def read_config(environ: Mapping[str, str]) -> Config:
    """Settings from `environ`; raises `ConfigurationError` with all problems at once."""
    reader = _Reader(environ)
    handed = reader.handed()
    providers = reader.providers()
    reader.confinement(providers, handed)
    config = Config(
        url=reader.url(),
        api_key=reader.required("SLIPGATE_API_KEY", "a key with scope launcher"),
        providers=providers,
        capacity=reader.capacity(),
        realm=reader.realm(),
        handed=handed,
        state=Path(reader.text("SLIPGATE_LAUNCHER_STATE") or DEFAULT_STATE).resolve(),
        log=reader.log(),
    )
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return config


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

    def url(self) -> str:
        what = "the gateway's address, for example http://127.0.0.1:8700"
        url = self.required("SLIPGATE_URL", what)
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
            self.problems.append(f"SLIPGATE_URL is not an http or https address: it must be {what}")
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

    def log(self) -> str:
        log = self.text("SLIPGATE_LOG")
        if log not in ("", "json", "console"):
            self.problems.append("SLIPGATE_LOG must be json or console")
        return log

    def providers(self) -> tuple[str, ...]:
        providers = self.names("SLIPGATE_PROVIDERS", DEFAULT_PROVIDERS)
        missing = [name for name in providers if name not in PROVIDERS_BUILT]
        if missing or not providers:
            self.problems.append(
                f"SLIPGATE_PROVIDERS names {', '.join(missing) or 'nothing'}"
                f"{'' if 'SLIPGATE_PROVIDERS' in self.environ else ' (the default)'}; "
                f"this version has: {', '.join(PROVIDERS_BUILT)}. "
                "SLIPGATE_PROVIDERS=local runs agents on this very host"
            )
        return providers

    def handed(self) -> dict[str, str]:
        names = self.names("SLIPGATE_SANDBOX_ENV", DEFAULT_SANDBOX_ENV)
        for name in names:
            if not VARIABLE_NAME.fullmatch(name):
                self.problems.append("SLIPGATE_SANDBOX_ENV must be names of variables, not values")
            elif name.startswith("SLIPGATE_"):
                self.problems.append(
                    f"SLIPGATE_SANDBOX_ENV names {name}: what is the launcher's own stays here"
                )
        return {name: self.environ[name] for name in names if self.environ.get(name)}

    def confinement(self, providers: tuple[str, ...], handed: Mapping[str, str]) -> None:
        understood = self.text("SLIPGATE_LOCAL_UNCONFINED").lower()
        if understood not in YES + NO:
            self.problems.append("SLIPGATE_LOCAL_UNCONFINED must be true or false")
        keys = real_model_keys(handed)
        if "local" in providers and keys and understood not in YES:
            self.problems.append(
                f"SLIPGATE_LOCAL_UNCONFINED is not true, and {', '.join(keys)} would be handed to "
                "agents that run on this host without a sandbox. Set it to true if you accept "
                "that they can read and change everything you can"
            )
