"""The docker network of an instance, whose sandboxes cannot reach each other."""

import asyncio
from typing import Final

from launcher.providers.docker.cli import DockerCli
from launcher.providers.docker.errors import AlreadyThere
from launcher.providers.protocol import INSTANCE_LABEL, ProviderError

_ICC: Final = "com.docker.network.bridge.enable_icc"
"""Option of a bridge: its containers may reach each other."""


class Networks:
    """Networks that are created on demand; docker's default one is open to every container."""

    def __init__(self, cli: DockerCli) -> None:
        self._cli = cli
        self._known: set[str] = set()
        self._making = asyncio.Lock()

    async def of(self, instance: str) -> str:
        """The name of the instance's network, which exists; raises `ProviderError`."""
        name = f"slipgate-{instance}"
        async with self._making:
            if name not in self._known:
                await self._make(name, instance)
                self._known.add(name)
        return name

    def forget(self, name: str) -> None:
        """Has the network checked again: somebody may have removed it."""
        self._known.discard(name)

    async def _make(self, name: str, instance: str) -> None:
        found = await self._cli.network(name)
        if found is None:
            try:
                await self._cli.run(
                    *("network", "create", "--driver=bridge", f"--opt={_ICC}=false"),
                    *(f"--label={INSTANCE_LABEL}={instance}", "--", name),
                )
            except AlreadyThere:
                found = await self._cli.network(name)
        if found is not None and (found.options or {}).get(_ICC) != "false":
            message = (
                f"docker's network {name} lets sandboxes speak to each other. Remove it: "
                f"`docker network rm {name}`"
            )
            raise ProviderError("provider_refused", message)
