"""The network of an instance's sandboxes: out to the world, and not to each other."""

import asyncio
from typing import Final

from launcher.providers.docker.cli import DockerCli
from launcher.providers.docker.errors import AlreadyThere
from launcher.providers.docker.schema import INSTANCE_LABEL
from launcher.providers.protocol import ProviderError

_TALK: Final = "com.docker.network.bridge.enable_icc"
"""Whether containers of a bridge may speak to each other."""


class Networks:
    """Made on demand, once; docker's default network would let every container of the host in."""

    def __init__(self, cli: DockerCli) -> None:
        self._cli = cli
        self._known: set[str] = set()
        self._making = asyncio.Lock()

    async def of(self, instance: str) -> str:
        """The name of the instance's network, which is there.

        Raises:
            ProviderError: it cannot be made, or is not what it must be.
        """
        name = f"slipgate-{instance}"
        async with self._making:
            if name not in self._known:
                await self._make(name, instance)
                self._known.add(name)
        return name

    def forget(self, name: str) -> None:
        """It is looked for again: somebody may have removed it."""
        self._known.discard(name)

    async def _make(self, name: str, instance: str) -> None:
        found = await self._cli.network(name)
        if found is None:
            try:
                await self._cli.run(
                    "network",
                    "create",
                    "--driver=bridge",
                    f"--opt={_TALK}=false",
                    f"--label={INSTANCE_LABEL}={instance}",
                    "--",
                    name,
                )
            except AlreadyThere:
                found = await self._cli.network(name)
        if found is not None and (found.options or {}).get(_TALK) != "false":
            message = f"docker's network {name} lets sandboxes speak to each other. Remove it: "
            raise ProviderError(
                "provider_refused", f"{message}`docker network rm {name}`", retryable=False
            )
