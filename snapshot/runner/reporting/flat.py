"""The flat payload that today's frontend reads, made from our words.

Strings only; an empty one means absent. `needs_review` is `pr.created` when there is a pull
request, and otherwise a failure whose text speaks of the patch, which that frontend shows for
review.
"""

import msgspec

from .events import Completed, Envelope, Error, NeedsReview, Progress, Started

Payload = dict[str, str]


class _Data(msgspec.Struct, rename="camel"):
    branch_name: str = ""
    pr_url: str = ""
    message: str = ""
    summary: str = ""
    error: Error | None = None


def payload(envelope: Envelope) -> Payload | None:
    """The flat form of one word, or None for words that frontend does not know."""
    data = msgspec.convert(envelope.data, type=_Data)
    if envelope.type == Started.type:
        return _flat("task.progress", "running", data, message="The agent has started.")
    if envelope.type == Progress.type:
        return _flat("task.progress", "running", data, message=data.message)
    if envelope.type == Completed.type:
        return _flat("task.completed", "success", data, message=data.summary)
    if envelope.type == NeedsReview.type:
        return _needs_review(data)
    if data.error is not None:
        message = data.error.message
        return _flat("task.failed", "failed", data, message=message, error=data.error.code)
    return None


def _needs_review(data: _Data) -> Payload:
    if data.pr_url:
        return _flat("pr.created", "success", data, message=data.summary)
    error = "the patch needs a person's review"
    return _flat("task.failed", "failed", data, message=data.summary, error=error)


def _flat(kind: str, status: str, data: _Data, *, message: str, error: str = "") -> Payload:
    return {
        "type": kind,
        "status": status,
        "branchName": data.branch_name,
        "prUrl": data.pr_url,
        "message": message,
        "error": error,
    }
