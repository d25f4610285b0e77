"""Several refusals of one request as one: a caller mends all that is wrong at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.domain.kernel.errors import ApiError
from gateway.web.http.problems import as_refusal
from gateway.wire.decode import WrongShape


class Refusals:
    """Collects what one check after the other refuses."""

    def __init__(self) -> None:
        self._found: list[ApiError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keeps the refusal of what is checked inside."""
        try:
            yield
        except (ApiError, WrongShape) as refusal:
            self._found.append(as_refusal(refusal))

    def check(self) -> None:
        """Raises what was kept.

        Raises:
            ApiError: the code and the hint of the first, the fields of all.
        """
        if not self._found:
            return
        first = self._found[0]
        details = dict.fromkeys(refusal.detail for refusal in self._found)
        notifier = dict.fromkeys(refusal.hint for refusal in self._found if refusal.hint)
        raise ApiError(
            first.code,
            " ".join(details),
            hint=" ".join(notifier) or None,
            errors=tuple(error for refusal in self._found for error in refusal.errors),
            retry_after=first.retry_after,
        )
