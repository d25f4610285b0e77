"""Whether sandboxes can call the gateway, where nobody could read their spools instead."""

from typing import Final

from launcher.client import Client
from launcher.providers.protocol import ProviderError

NEEDS_CALLBACKS: Final = (
    "with github-actions every look at a spool is a run of the workflow, of a minute at least"
)
NEEDED_URL: Final = (
    "Set SLIPGATE_PUBLIC_URL of the gateway to an address that sandboxes reach (a tunnel will do)."
)


async def require_callbacks(client: Client) -> None:
    """A gateway without a public URL asks for each spool every 5 s, for as long as a task runs.

    Raises:
        ProviderError: this one does.
        Refused: it does not tell.
        Unreachable: it does not answer.
    """
    view = await client.gateway()
    if view.public_url is None:
        message = f"The gateway has no public URL: {NEEDS_CALLBACKS}. {NEEDED_URL[:-1]}"
        raise ProviderError("provider_refused", message, retryable=False)
