"""The steps before an agent is paid: checks of sandbox, remote and branch, and the clone."""

import msgspec

from ..agent.landlock import open_sockets
from ..configuration import Configuration
from ..publication import github
from ..publication.conventions import named_issues
from ..publication.publisher import Publisher
from ..reporting.events import PushRequest
from ..reporting.fetch import fetch_patch, fetch_prompt
from ..reporting.kept_patch import KeptPatch
from ..repository.access import OurBranch
from ..repository.address import Repository
from ..repository.remote import Clone, Remote
from ..text import is_default_title, title
from .context import StepContext
from .continuation import begin_thread, check_requester, feedback


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the steps after this one begin from."""

    repository: Repository
    remote: Remote
    publisher: Publisher
    base: Clone
    """At the tip of the base branch."""
    clone: Clone
    """At the commit that the work begins from: that one, or the tip of the branch that is gone on
    with."""
    prompt: str
    earlier: KeptPatch | None
    """The whole patch of an earlier agent: no second one is paid."""
    is_adopted: bool
    """It is of an earlier attempt: none of this one's repair rounds was begun."""
    pushed: PushRequest | None
    """The push of an earlier start of this attempt: only the pull request is missing."""
    feedback: str = ""
    """The reviews and failed checks of the pull request that is gone on with."""


def prepare(context: StepContext) -> Start:
    """Raises `Failure` for all that would make an agent's work useless."""
    _check_sandbox(context)
    repository = context.access.repository()
    context.enter("clone", f"Cloning {repository.url}")
    earlier, is_adopted = _earlier_patch(context)
    prompt = context.configuration.prompt if earlier else whole_prompt(context)
    branch = _choose_branch(context, repository, begins=earlier is None)
    remote = context.access.remote(repository)
    publisher = _publisher(context, repository, remote, prompt)
    continuation = context.configuration.continuation
    if continuation is not None:
        check_requester(continuation, publisher.github)
        begin_thread(context, publisher)
    origin = context.state.workdir("origin")
    base = remote.clone_or_commit(origin, (earlier.base_sha or None) if earlier else None)
    clone = base
    if context.continues:
        clone, context.declaring = remote.at_tip(base, context.branch), base
        if earlier is not None:
            clone = remote.before_task(clone, publisher.task_id)
    recovered = context.services.recovered.push
    pushed = publisher.find_pushed(clone, recovered, is_there=branch.is_there)
    is_paid = earlier is None and pushed is None
    return Start(
        repository=repository,
        remote=remote,
        publisher=publisher,
        base=base,
        clone=clone,
        prompt=prompt,
        earlier=earlier,
        is_adopted=is_adopted,
        pushed=pushed,
        feedback=feedback(context, publisher.github, clone.base_sha) if is_paid else "",
    )


def _check_sandbox(context: StepContext) -> None:
    context.enter("setup", "Checking the task")
    for problem in (*context.services.network.problems, *filter(None, [open_sockets()])):
        context.log.write(f"{problem}\n")
    if context.services.confinement.warning:
        context.enter("setup", context.services.confinement.warning)


def _earlier_patch(context: StepContext) -> tuple[KeptPatch | None, bool]:
    """The whole patch of an agent that ended in an earlier start; or, and True, in an earlier
    attempt."""
    services = context.services
    is_pushed = services.recovered.push is not None
    kept = context.saved.recover(reads_disk=not is_pushed)
    context.state.clear()
    url, channel = context.configuration.resume_url, services.channel
    if kept is not None or url is None or channel is None or is_pushed:
        return kept, False
    adopted = context.saved.adopt(fetch_patch(channel, url, services.stop.sleep))
    if adopted is None:
        context.log.write("The earlier patch lacks a secret of a variable that is not set here\n")
    return adopted, adopted is not None


def whole_prompt(context: StepContext) -> str:
    """The prompt, fetched where it is too long for a variable; raises `Failure`."""
    url = context.configuration.prompt_url
    if url is None:
        return context.configuration.prompt
    return fetch_prompt(context.services.channel, url, context.services.stop.sleep)


def _choose_branch(context: StepContext, repository: Repository, *, begins: bool) -> OurBranch:
    wanted = context.configuration.branch
    chosen = context.access.choose_branch(repository, begins=begins)
    context.branch, context.continues = chosen.name, chosen.continues
    if context.branch != wanted:
        sentence = f"The branch is {context.branch}: another is in the way of {wanted}\n"
        context.log.write(sentence)
    return chosen


def _publisher(
    context: StepContext, repository: Repository, remote: Remote, prompt: str
) -> Publisher:
    configuration, services = context.configuration, context.services
    client, reason = github.connect(
        configuration,
        context.access,
        repository,
        network=services.network,
        stop=services.stop,
        budget=services.budget,
    )
    return Publisher(
        task_id=configuration.connection.task_id,
        attempt=configuration.connection.attempt,
        branch=context.branch,
        title=title(configuration.title, prompt),
        is_title_chosen=not is_default_title(configuration.title, prompt),
        written_by=_written_by(configuration),
        issues=named_issues(f"{prompt}\n{configuration.issues}", repository),
        author=configuration.author,
        signing_key=configuration.signing_key,
        is_ready=configuration.pull_requests == "ready",
        git=context.git,
        remote=remote,
        github=client,
        no_github=f"The branch is pushed; there is no pull request: {reason}.",
        reporter=context.reporter,
        continues=context.continues,
        redact=services.redaction.text,
    )


def _written_by(configuration: Configuration) -> str:
    """The program and the model behind the agent; a command of one's own chooses its model."""
    engine, model = configuration.agent.engine, configuration.model
    if model is None or engine == "command":
        return f"`{engine}`"
    return f"`{engine}` with `{model.name}`"
