"""The error that ends a step."""


class Failure(Exception):
    """`code` is stable and machine-readable; `message` says what would be right."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


class RepositoryRejected(Failure):
    """The repository, a branch or the patch breaks a rule, which the message names."""
