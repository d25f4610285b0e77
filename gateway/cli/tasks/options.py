"""Options that several commands about tasks share."""

from typing import Annotated

import typer

Moment = Annotated[str | None, typer.Option(help="such as 2026-01-31T12:00:00Z")]
Metadata = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="may be given several times")
]


def metadata_of(pair: str) -> tuple[str, str]:
    """The name and the value of a `--metadata`."""
    name, is_pair, value = pair.partition("=")
    if not is_pair or not name:
        raise typer.BadParameter("expected NAME=VALUE", param_hint="--metadata")
    return name, value
