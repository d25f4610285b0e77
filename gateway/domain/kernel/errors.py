"""The base class of expected errors: a stable code, and a text that says what would be right."""

from typing import Final

from gateway.wire.problem import FieldError

READ_ONLY_SECONDS: Final = 5
"""Seconds until one whose write is refused may try again."""


class ApiError(Exception):
    """A request that cannot be granted.

    `code` is stable and machine-readable; the web floor has one table from code to HTTP status.
    `detail` and `hint` are shown to the caller and hold nothing internal or secret.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        hint: str | None = None,
        errors: tuple[FieldError, ...] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.hint = hint
        self.errors = errors
        self.retry_after = retry_after
        """Seconds until the next try may succeed."""


class Unavailable(ApiError):
    """Nothing can be committed now; nothing was written, and the caller may try again."""

    def __init__(self, detail: str, *, code: str = "unavailable", retry_after: int = 1) -> None:
        super().__init__(
            code,
            detail,
            hint="Nothing was stored. Send the same request again after Retry-After.",
            retry_after=retry_after,
        )


class ReadOnly(Unavailable):
    """Nothing can be written, because of the disk; reads are answered."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="read_only", retry_after=READ_ONLY_SECONDS)


class OutcomeUnknown(Unavailable):
    """The database has not said whether something was stored, and nobody will ask it any more."""

    def __init__(self) -> None:
        super().__init__("The gateway stops before it knows whether this was stored.")
        self.hint = "Send the same request again, with the same Idempotency-Key."


class Conflict(Exception):
    """Another gateway has changed what a batch was decided on: it has to be decided again."""
