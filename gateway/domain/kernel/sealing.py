"""What a secret at rest is sealed to: table, column and row, so that none can stand for another."""

from gateway.domain.tasks.task import Frozen


class Sealed(Frozen, frozen=True, kw_only=True):
    """A secret encrypted at rest."""

    key_id: str
    box: bytes


def env_context(task_id: str) -> str:
    """The `env` of a task."""
    return f"task_secrets|env|{task_id}"


def callback_url_context(task_id: str) -> str:
    """A task's callback address."""
    return f"task_secrets|callback_url|{task_id}"


def signing_secret_context(secret_id: str) -> str:
    """A secret that deliveries are signed with."""
    return f"signing_secrets|secret|{secret_id}"


def endpoint_url_context(endpoint_id: str) -> str:
    """The address of an endpoint."""
    return f"endpoints|url|{endpoint_id}"


def endpoint_headers_context(endpoint_id: str) -> str:
    """The headers that people added to an endpoint's requests."""
    return f"endpoints|headers|{endpoint_id}"


def callback_secret_context(project: str) -> str:
    """A project's callback secret."""
    return f"projects|callback_secret|{project}"
