"""Rules that recognise a provider's error by its text."""

import re
from collections.abc import Iterable
from typing import NamedTuple


class ErrorRule(NamedTuple):
    """Errors whose text matches `pattern` (case is ignored)."""

    pattern: str
    code: str
    advice: str = ""
    retryable: bool = False

    def matches(self, text: str) -> bool:
        return re.search(self.pattern, text, re.IGNORECASE) is not None


def find_rule(rules: Iterable[ErrorRule], text: str) -> ErrorRule | None:
    return next((rule for rule in rules if rule.matches(text)), None)
