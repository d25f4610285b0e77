"""The world around the demo: a repository, GitHub, a model server and a frontend's receiver."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
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
"""The pause of the scripted model before it answers, so that one can watch."""
ADD_A_FILE: Final = "Add a file that says who was here."


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What the task works on."""

    slug: str
    bare: Path
    prompt: str


@dataclass(kw_only=True)
class StandIns:
    """Addresses and keys of the stand-ins, and what they saw."""

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
        """What the launcher hands to the sandbox."""
        return {
            "OPENAI_API_KEY": self.model_key,
            "OPENAI_BASE_URL": f"{self.model_url}/v1",
            "GITHUB_TOKEN": self.github_token,
            "GITHUB_API_URL": self.github_url,
            "SLIPGATE_SANDBOX_ENV": "OPENAI_API_KEY,OPENAI_BASE_URL,GITHUB_TOKEN,GITHUB_API_URL",
        }


@asynccontextmanager
async def stand_ins(folder: Path, repository: str | None) -> AsyncIterator[StandIns]:
    """Serves them on free ports for as long as the context lasts."""
    subject = await asyncio.to_thread(_subject, folder, repository)
    token, key = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    github = GitHub(token=token, repositories={subject.slug: subject.bare})
    model = ScriptedModel(key=key, pause=_pause, now=time.time)
    receiver = Receiver(secret=lambda: world.callback_secret, now=time.time)
    async with AsyncExitStack() as stack:
        world = StandIns(
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
        yield world


def _subject(folder: Path, repository: str | None) -> Subject:
    try:
        if repository is None:
            sample = make_sample(folder / "repositories")
            return Subject(slug=SLUG, bare=sample.bare, prompt=PROMPT)
        return _copy(folder / "repositories", repository)
    except GitFailed as exc:
        raise CommandFailed(
            f"The repository could not be prepared: {exc}",
            "Look at the address, and that git is installed and may read it.",
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


async def _pause() -> None:
    await asyncio.sleep(TURN_SECONDS)
