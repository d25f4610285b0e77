"""The world around a slipgate under test: a repository, GitHub, a model, a frontend's receiver."""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.git import branch_tip
from gateway.demo.github import GitHub, Pull
from gateway.demo.model import ScriptedModel
from gateway.demo.receiver import Received, Receiver
from gateway.demo.sample import SLUG, Sample, make_sample
from gateway.demo.script import Script
from gateway.demo.serve import serving
from tests.e2e.arrivals import Arrivals
from tests.e2e.barrier import Barrier, HeldPost
from tests.e2e.frontend import task_of

FORWARDED = "OPENAI_API_KEY,OPENAI_BASE_URL,GITHUB_TOKEN,GITHUB_API_URL"


@dataclass(kw_only=True)
class World:
    """The stand-ins, and the barriers at which they hold their callers."""

    sample: Sample
    github: GitHub
    receiver: Receiver
    arrivals: Arrivals
    at_model: Barrier
    at_pull_request: Barrier
    at_receiver: Barrier
    """Behind it: the webhook is taken, only its answer waits."""
    callback_url: str
    sandbox_environ: dict[str, str]
    """Variables that the launcher passes to sandboxes."""

    def open(self) -> None:
        """Lets everyone pass."""
        for barrier in (self.at_model, self.at_pull_request, self.at_receiver):
            barrier.open()

    def pulls(self, branch: str) -> list[Pull]:
        """The pull requests of a branch."""
        return [pull for pull in self.github.pulls(SLUG) if pull.head.ref == branch]

    def pushed(self, branch: str) -> str | None:
        """The tip of a branch of the project."""
        return branch_tip(self.sample.bare, branch)

    def received(self, task_id: str) -> list[Received]:
        """The webhooks about a task, each once, in the order of their first arrival."""
        return [one for one in self.receiver.received if task_of(one) == task_id]


@asynccontextmanager
async def world(
    folder: Path, *, choose: Callable[[Sequence[str]], Script], secret: bytes
) -> AsyncIterator[World]:
    """Serves it on free ports; `secret` is what webhooks are signed with."""
    sample = make_sample(folder / "repositories")
    token, model_key = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    at_model, at_pull_request, at_receiver = Barrier(), Barrier(), Barrier()
    github = GitHub(token=token, repositories={SLUG: sample.bare})
    model = ScriptedModel(key=model_key, choose=choose, pause=at_model, now=time.time)
    receiver = Receiver(secret=lambda: secret, now=time.time)
    arrivals = Arrivals(receiver.app, at_receiver)
    async with AsyncExitStack() as stack:
        pulls = HeldPost(github.app, at_pull_request)
        github_url = await stack.enter_async_context(serving(pulls))
        model_url = await stack.enter_async_context(serving(model.app))
        receiver_url = await stack.enter_async_context(serving(arrivals))
        around = World(
            sample=sample,
            github=github,
            receiver=receiver,
            arrivals=arrivals,
            at_model=at_model,
            at_pull_request=at_pull_request,
            at_receiver=at_receiver,
            callback_url=f"{receiver_url}/hook",
            sandbox_environ={
                "OPENAI_API_KEY": model_key,
                "OPENAI_BASE_URL": f"{model_url}/v1",
                "GITHUB_TOKEN": token,
                "GITHUB_API_URL": github_url,
                "SLIPGATE_SANDBOX_ENV": FORWARDED,
            },
        )
        stack.callback(around.open)
        yield around
