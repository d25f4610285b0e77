"""The one error of a step: a stable code, a sentence, and whether trying again may help."""


class Failure(Exception):
    """Ends a step. `code` is machine-readable and stable; `message` says what would be right."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
