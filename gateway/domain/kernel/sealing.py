"""Secrets at rest, each sealed to its table, column and row, so that none can replace another."""

from gateway.domain.tasks.task import Frozen


class Sealed(Frozen, frozen=True, kw_only=True):
    """A secret encrypted at rest."""

    key_id: str
    box: bytes


def env_context(task_id: str) -> str:
    return f"task_secrets|env|{task_id}"


def callback_url_context(task_id: str) -> str:
    return f"task_secrets|callback_url|{task_id}"


def signing_secret_context(secret_id: str) -> str:
    return f"signing_secrets|secret|{secret_id}"


def endpoint_url_context(endpoint_id: str) -> str:
    return f"endpoints|url|{endpoint_id}"


def endpoint_headers_context(endpoint_id: str) -> str:
    return f"endpoints|headers|{endpoint_id}"


def callback_secret_context(project: str) -> str:
    return f"projects|callback_secret|{project}"
