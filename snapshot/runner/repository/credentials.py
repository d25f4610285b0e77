"""Our only credential helper: the GitHub token, for one https host, never in a URL or argv."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from ..secret import Secret

SCRIPT = Path(__file__).with_name("credential-helper.sh")


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What git needs to answer one host's question for a password."""

    host: str
    token: Secret

    @property
    def config(self) -> str:
        """The configuration; git runs the helper through a shell, so its path is quoted."""
        return f"credential.https://{self.host}.helper=!sh {shlex.quote(str(SCRIPT))}"

    @property
    def options(self) -> tuple[str, ...]:
        """All of it: a submodule that is named over ssh on the same host is the token's too."""
        ssh = (f"git@{self.host}:", f"ssh://git@{self.host}/")
        rewrites = (f"url.https://{self.host}/.insteadOf={start}" for start in ssh)
        return (self.config, *rewrites)

    @property
    def environ(self) -> dict[str, str]:
        """What the helper reads."""
        return {"SLIPGATE_GIT_HOST": self.host, "SLIPGATE_GIT_PASSWORD": self.token.value}
