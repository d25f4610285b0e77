"""Our only credential helper: the GitHub token, for one https host, never in a URL or argv."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from .secret import Secret

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
    def environ(self) -> dict[str, str]:
        """What the helper reads."""
        return {"SLIPGATE_GIT_HOST": self.host, "SLIPGATE_GIT_PASSWORD": self.token.value}
