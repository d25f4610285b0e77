"""The list of `slipgate webhook …`."""

from typing import Final

import typer

from gateway.cli.webhook.listen import listen
from gateway.cli.webhook.signing import sign
from gateway.cli.webhook.verify import verify

webhook: Final = typer.Typer(
    no_args_is_help=True, help="sign and verify webhooks, receive them here, bring them to your app"
)
webhook.command()(sign)
webhook.command()(verify)
webhook.command()(listen)
