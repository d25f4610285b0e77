"""Opens the provider: the way to the cluster, its identity, and the watch of its pods."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from launcher.providers.kubernetes.api_client import KubernetesApi
from launcher.providers.kubernetes.connection import open_connection
from launcher.providers.kubernetes.errors import NotThere
from launcher.providers.kubernetes.pod_watch import PodWatch, opened
from launcher.providers.kubernetes.provider import Kubernetes
from launcher.providers.kubernetes.schema import AnyObject
from launcher.providers.protocol import ProviderError
from launcher.settings import Settings

CLUSTER_NAMESPACE: Final = "/api/v1/namespaces/kube-system"
"""Its uid is the customary id of a cluster."""


@asynccontextmanager
async def open_api(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[KubernetesApi]:
    """Raises `ProviderError` if the kubeconfig cannot be used."""
    connection = open_connection(
        environ,
        context=settings.kubernetes.context,
        egress=settings.egress,
        folder=settings.state / "kubernetes",
    )
    async with connection.client() as http:
        yield KubernetesApi(http, connection, settings.kubernetes.namespace)


@asynccontextmanager
async def open_kubernetes(
    settings: Settings, environ: Mapping[str, str]
) -> AsyncIterator[Kubernetes]:
    """Raises `ProviderError` if the cluster does not tell who it is."""
    async with open_api(settings, environ) as api, opened(PodWatch(api)) as watch:
        realm = await identity(api, settings.realm)
        yield Kubernetes(api, realm=realm, settings=settings.kubernetes, watch=watch)


async def identity(api: KubernetesApi, named: str | None) -> str:
    """The realm: names are unique in a namespace of a cluster. `named`: the cluster, where the
    launcher may not read its uid. Raises `ProviderError`."""
    try:
        found = await api.get(CLUSTER_NAMESPACE, AnyObject)
    except ProviderError as error:
        if error.retryable and not isinstance(error, NotThere):
            raise
        if named:
            return f"{named}/{api.namespace}"
        message = (
            f"{error.message.rstrip('.')}. The uid of kube-system tells clusters apart: allow "
            "the launcher to get that namespace, or give the cluster a name in SLIPGATE_REALM"
        )
        raise ProviderError("provider_auth", message) from error
    return f"{found.metadata.uid}/{api.namespace}"
