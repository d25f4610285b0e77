"""What a secret at rest is sealed to: table, column and row, so that none can stand for another."""


def env_context(task_id: str) -> str:
    """The `env` of a task."""
    return f"task_secrets|env|{task_id}"


def callback_url_context(task_id: str) -> str:
    """A task's callback address."""
    return f"task_secrets|callback_url|{task_id}"


def callback_secret_context(project: str) -> str:
    """A project's callback secret."""
    return f"projects|callback_secret|{project}"
