"""The environments of our children: of the agent's commands, of validation and of git."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OURS: Final = frozenset(
    {
        *("TARGET_REPO", "BASE_BRANCH", "BRANCH_NAME", "TASK_ID", "AGENT_PROMPT", "WORKSPACE_ID"),
        *("MODEL_PROVIDER", "MODEL", "WEBHOOK_URL", "KEEP_ALIVE", "TRACEPARENT"),
        *("GITHUB_TOKEN", "GITHUB_API_URL"),
        *("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"),
        *("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GEMINI_BASE_URL", "OPENROUTER_BASE_URL"),
    }
)
"""Names that the gateway and the launcher compute."""
_HOST: Final = re.compile(
    r"SLIPGATE_.*|DAYTONA_.*|DYLD_.*|LD_.*|PYTHON.*|GIT_.*|MSWEA_.*|VIRTUAL_ENV.*"
    r"|PATH|HOME|SHELL|ENV|BASH_ENV|NODE_OPTIONS|PWD|OLDPWD|SHLVL|_|LANG|TERM|TMPDIR|USER|LOGNAME"
)
"""Names of this process and its image, which mean something else to a child or may harm it."""
_NETWORK: Final = re.compile(
    r"(?i)(?:HTTP|HTTPS|ALL|NO)_PROXY"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS"
    r"|GIT_SSL_CAINFO|GIT_SSL_CAPATH"
)
_MODELS: Final = re.compile(
    r"(?:OPENAI|ANTHROPIC|OPENROUTER|CLAUDE|CODEX|OPENCODE|GEMINI|GOOGLE|AZURE|LITELLM|XAI)_.*"
)
"""Names that an agent's engine reads: one of them could send its key to another server."""
TOOLCHAINS: Final = {
    "RUSTUP_HOME": ".rustup",
    "PYENV_ROOT": ".pyenv",
    "RBENV_ROOT": ".rbenv",
    "ASDF_DATA_DIR": ".asdf",
    "MISE_DATA_DIR": ".local/share/mise",
}
"""Folders in our own home without which programs on the PATH do not find their language."""


def is_reserved(name: str) -> bool:
    """True for a variable that no repository may set for its commands."""
    patterns = (_HOST, _NETWORK, _MODELS)
    return name in OURS or any(pattern.fullmatch(name) for pattern in patterns)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildEnv:
    """Holds no secret of ours, only the task's own variables."""

    path: str
    network: Mapping[str, str]
    """Proxies and certificate bundles."""
    task: Mapping[str, str]
    """Variables that neither we nor the image claim."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "ChildEnv":
        return cls(
            path=_safe_path(environ.get("PATH") or DEFAULT_PATH),
            network={name: value for name, value in environ.items() if _NETWORK.fullmatch(name)},
            task=_toolchains(environ)
            | {
                name: value
                for name, value in environ.items()
                if name not in OURS and not _HOST.fullmatch(name)
            },
        )

    def base(self) -> dict[str, str]:
        """For any program; nothing of the task."""
        return {"PATH": self.path, "LANG": "C.UTF-8", "TERM": "dumb", **self.network}

    def command(self, *, home: Path, temporary: Path) -> dict[str, str]:
        """For a command of the agent or of validation, with a home of its own."""
        return {
            **self.task,
            **self.base(),
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "PAGER": "cat",
            "GIT_PAGER": "cat",
            "GIT_TERMINAL_PROMPT": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def _toolchains(environ: Mapping[str, str]) -> dict[str, str]:
    """The toolchains of our own home: a command has another one."""
    home = Path(environ.get("HOME") or "/nonexistent")
    there = {name: home / folder for name, folder in TOOLCHAINS.items()}
    return {name: str(folder) for name, folder in there.items() if folder.is_dir()}


def _safe_path(path: str) -> str:
    """The PATH without relative folders and without the runner's own virtual environment.

    A relative folder would be the agent's where git runs in its checkout; in our environment an
    agent would install and remove the packages that the runner needs.
    """
    own = None if sys.prefix == sys.base_prefix else Path(sys.prefix).resolve() / "bin"
    folders = (Path(each) for each in path.split(os.pathsep))
    kept = [str(each) for each in folders if each.is_absolute() and each.resolve() != own]
    return os.pathsep.join(kept) or DEFAULT_PATH
