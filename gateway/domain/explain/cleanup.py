"""The clean-up of an unwanted sandbox."""

from gateway.domain.explain.explanation import ExplainInput, sandbox_realm
from gateway.domain.explain.formatting import clock, future, listed, no_launcher, since, tries
from gateway.domain.launching.job import Job
from gateway.domain.tasks.task import Attempt


def cleanup(s: ExplainInput, attempt: Attempt) -> tuple[str, ...]:
    """The clean-up of an attempt's sandbox."""
    whose = "its sandbox"
    if attempt.number != s.task.attempt:
        whose = f"the sandbox of attempt {attempt.number}"
    if attempt.is_gone:
        return (f"{whose} is gone" if attempt.was_tried else "no sandbox was ever made",)
    job = s.job("destroy", attempt.number)
    if job is None:
        return (f"{whose} is not known to be gone",)
    return (_progress(s, attempt, job, whose), *_unconfirmed(s, attempt))


def waits_for(s: ExplainInput, attempt: Attempt) -> str:
    """The next condition for the sandbox to be gone."""
    sandbox = f"the sandbox of attempt {attempt.number}"
    if not s.serving(attempt):
        return f"a launcher of {sandbox_realm(attempt)} to destroy {sandbox}"
    return f"{sandbox} to be gone"


def is_kept(s: ExplainInput, attempt: Attempt) -> bool:
    """True while the sandbox is kept for debugging, as requested."""
    job = s.job("destroy", attempt.number)
    return s.task.keep_sandbox and job is not None and not job.offers and job.not_before > s.now


def _progress(s: ExplainInput, attempt: Attempt, job: Job, whose: str) -> str:
    if job.is_held(s.now):
        return f"{job.leased_by} is destroying {whose}"
    if is_kept(s, attempt):
        return f"{whose} is kept for debugging until {clock(job.not_before, s.now)}"
    if not s.serving(attempt):
        return f"{whose} waits to be destroyed, and {no_launcher(s, sandbox_realm(attempt))}"
    if job.not_before > s.now:
        when = future(job.not_before, s.now)
        if not job.offers:
            return f"{whose} will be destroyed {when}"
        return f"{tries(job.offers)} to destroy {whose} did not confirm its end, the next is {when}"
    names = listed([call.launcher_id for call in s.serving(attempt)])
    return f"{names} is asked to destroy {whose} and has not begun"


def _unconfirmed(s: ExplainInput, attempt: Attempt) -> tuple[str, ...]:
    flag = s.flag("sandbox_unconfirmed")
    if flag is None:
        return ()
    release = f"`slipgate tasks release {s.task.id} --attempt {attempt.number} --reason TEXT`"
    return (
        f"its end is unconfirmed {since(flag.since, s.now)}",
        f"if you know that it is gone, say so by {release}",
    )
