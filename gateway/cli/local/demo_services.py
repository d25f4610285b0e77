"""The services of the demo: a repository, and fakes of GitHub, a model server and a frontend."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gateway.cli.console.output import CommandFailed
from gateway.demo.git import GitFailed, git
from gateway.demo.github import GitHub, Pull
from gateway.demo.model import ScriptedModel
from gateway.demo.receiver import Receiver
from gateway.demo.sample import PROMPT, SLUG, make_sample
from gateway.demo.serve import serving

TURN_SECONDS: Final = 0.6
"""The pause of the scripted model before it answers, so that a person can follow it."""
ADD_A_FILE: Final = "Add a file that says who was here."


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The repository of the task, and its prompt."""

    slug: str
    bare: Path
    prompt: str


@dataclass(kw_only=True)
class DemoServices:
    """Addresses and keys of the fakes, and the requests that they received."""

    subject: Subject
    github: GitHub
    model: ScriptedModel
    receiver: Receiver
    github_url: str
    model_url: str
    receiver_url: str
    github_token: str
    model_key: str
    callback_secret: bytes | None = None

    @property
    def pull(self) -> Pull | None:
        """The pull request that was opened."""
        return next(iter(self.github.pulls(self.subject.slug)), None)

    @property
    def launcher_environ(self) -> dict[str, str]:
        """The variables that the launcher hands to the sandbox."""
        return {
            "OPENAI_API_KEY": self.model_key,
            "OPENAI_BASE_URL": f"{self.model_url}/v1",
            "GITHUB_TOKEN": self.github_token,
            "GITHUB_API_URL": self.github_url,
            "SLIPGATE_SANDBOX_ENV": "OPENAI_API_KEY,OPENAI_BASE_URL,GITHUB_TOKEN,GITHUB_API_URL",
        }


@asynccontextmanager
async def demo_services(folder: Path, repository: str | None) -> AsyncIterator[DemoServices]:
    """Serves the fakes on free ports."""
    subject = await asyncio.to_thread(_subject, folder / "repositories", repository)
    token, key = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    github = GitHub(token=token, repositories={subject.slug: subject.bare})
    model = ScriptedModel(key=key, pause=partial(asyncio.sleep, TURN_SECONDS), now=time.time)
    receiver = Receiver(secret=lambda: services.callback_secret, now=time.time)
    async with AsyncExitStack() as stack:
        services = DemoServices(
            subject=subject,
            github=github,
            model=model,
            receiver=receiver,
            github_url=await stack.enter_async_context(serving(github.app)),
            model_url=await stack.enter_async_context(serving(model.app)),
            receiver_url=await stack.enter_async_context(serving(receiver.app)),
            github_token=token,
            model_key=key,
        )
        yield services


def _subject(folder: Path, repository: str | None) -> Subject:
    try:
        if repository is None:
            return Subject(slug=SLUG, bare=make_sample(folder).bare, prompt=PROMPT)
        return _copy(folder, repository)
    except GitFailed as exc:
        raise CommandFailed(
            f"The repository could not be prepared: {exc}",
            "Check --repo, and that git is installed and may read it.",
        ) from exc


def _copy(folder: Path, repository: str) -> Subject:
    """A bare copy: the demo pushes there, never to the repository itself."""
    local = Path(repository)
    source = str(local.resolve()) if local.exists() else repository
    name = Path(urlsplit(source).path).name.removesuffix(".git") or "repository"
    bare = folder / "demo" / f"{name}.git"
    bare.parent.mkdir(parents=True)
    git("clone", "--quiet", "--bare", "--template=", "--", source, str(bare), folder=folder)
    return Subject(slug=f"demo/{name}", bare=bare, prompt=ADD_A_FILE)
