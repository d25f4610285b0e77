"""The reference has every setting, every flag and every error code that the code knows."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.domain.explain.advice import ADVICE
from gateway.domain.tasks.task import FLAG_ORDER
from gateway.settings import read_settings
from gateway.web.http.codes import CODES
from gateway.web.http.remedies import REMEDIES, UNAVOIDABLE
from launcher.settings import PROVIDERS, inspect_settings

TEXT: Final = (Path(__file__).parents[2] / "gateway/docs/reference.md").read_text("utf-8")
UNLISTED: Final = frozenset(
    {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "HOME"}
)
"""Not settings: values that are handed on, and what `~` stands for."""


class Asked(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, **given: str) -> None:
        super().__init__(given)
        self.names: set[str] = set()

    def get(self, key: str, default: str = "") -> str:  # type: ignore[override]
        """The value; the readers of settings give a word as the default."""
        self.names.add(key)
        return super().get(key, default)


def rows(title: str) -> Iterator[list[str]]:
    """The cells of the one table under a heading."""
    _, _, rest = TEXT.partition(f"# {title}\n")
    section = re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    _, _, *lines = [line for line in section.splitlines() if line.startswith("|")]
    for line in lines:
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


def variables(title: str) -> set[str]:
    """The names in the first column."""
    return {name for cells in rows(title) for name in re.findall(r"`([A-Z_]+)`", cells[0])}


def test_it_has_every_setting_of_the_gateway_and_no_other() -> None:
    environ = Asked(SLIPGATE_SECRET_KEYS=f"k1:{'A' * 44}")
    read_settings(environ)
    assert variables("Of the gateway") == environ.names


def test_it_has_every_setting_of_the_launcher_and_no_other() -> None:
    environ = Asked(SLIPGATE_PROVIDERS=",".join(PROVIDERS))
    inspect_settings(environ)
    assert variables("Of the launcher") == environ.names - UNLISTED


def test_it_has_every_flag_in_the_order_in_which_they_are_shown() -> None:
    assert tuple(cells[0].strip("`") for cells in rows("Flags")) == FLAG_ORDER


def test_it_has_every_error_with_the_advice_that_explain_gives() -> None:
    assert {cells[0].strip("`"): cells[2] for cells in rows("Error codes")} == ADVICE


def test_it_has_every_code_of_a_refused_request_with_its_status_and_meaning() -> None:
    listed = [tuple(cells) for cells in rows("Refused requests")]
    remedies = {code: f"nothing: {why}" for code, why in UNAVOIDABLE.items()} | REMEDIES
    assert listed == [
        (f"`{code}`", str(status), meaning, remedies[code])
        for code, (status, meaning) in CODES.items()
    ]
