"""Checks a cluster: its version, what the launcher may do there, and the namespace of sandboxes.

Only a sandbox can tell if the nodes pull its image and have Landlock: `doctor --live` makes one.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import msgspec

from launcher.doctor.report import Check, failed, ok, warning
from launcher.providers.kubernetes.api_client import KubernetesApi
from launcher.providers.kubernetes.errors import NotThere
from launcher.providers.kubernetes.factory import identity, open_api
from launcher.providers.kubernetes.provider import NETWORKING
from launcher.providers.kubernetes.schema import AnyObject, Listed, Metadata
from launcher.providers.protocol import ProviderError
from launcher.settings import Settings

OLDEST: Final = (1, 29)
"""The first release that makes no new pod while the old one may still run."""
RESTRICTED: Final = ("pod-security.kubernetes.io/enforce", "restricted")
REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
NEEDED: Final = (
    *(("batch", "jobs", verb) for verb in ("create", "get", "list", "patch", "delete")),
    *(("", "pods", verb) for verb in ("list", "watch", "delete")),
    *(("", "pods/exec", verb) for verb in ("create", "get")),
    ("", "pods/log", "get"),
    *(("", "secrets", verb) for verb in ("create", "update", "delete")),
    ("", "events", "list"),
    ("networking.k8s.io", "networkpolicies", "get"),
)
"""Group, resource and verb of every call of the provider."""
_APPLY: Final = "`kubectl apply -f gateway/deploy/kubernetes/sandboxes.yaml` makes it."


class _Version(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    major: str
    minor: str
    git_version: str


class _ReviewStatus(msgspec.Struct, frozen=True, kw_only=True):
    allowed: bool


class _Review(msgspec.Struct, frozen=True, kw_only=True):
    status: _ReviewStatus


class _QuotaStatus(msgspec.Struct, frozen=True, kw_only=True):
    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class _Quota(msgspec.Struct, frozen=True, kw_only=True):
    metadata: Metadata
    status: _QuotaStatus = _QuotaStatus()


async def check_kubernetes(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Check]:
    try:
        async with open_api(settings, environ) as api:
            yield await _cluster(api, settings.realm)
            yield await _permissions(api)
            yield await _namespace(api)
            if settings.kubernetes.network_policy:
                yield await _network_policy(api, settings.kubernetes.network_policy)
            yield await _quota(api)
    except ProviderError as error:
        advice = "Look at KUBECONFIG and `kubectl get --raw /version`, as the launcher's user."
        yield failed("Kubernetes", error.message, advice)


async def _cluster(api: KubernetesApi, named: str | None) -> Check:
    version = await api.get("/version", _Version)
    digits = tuple(int(each.rstrip("+")) for each in (version.major, version.minor))
    where = f"{version.git_version} at {api.connection.server}"
    if digits < OLDEST:
        return failed("Kubernetes", where, "It has to be 1.29 or later.")
    return ok("Kubernetes", f"{where}, realm {await identity(api, named)}")


async def _permissions(api: KubernetesApi) -> Check:
    missing = [
        f"{verb} {resource}"
        for group, resource, verb in NEEDED
        if not await _is_allowed(api, group, resource, verb)
    ]
    name = "permissions"
    if missing:
        message = f"the launcher may not {', '.join(missing)} in {api.namespace}"
        return failed(name, message, f"The role is missing or not bound: {_APPLY}")
    return ok(name, f"all {len(NEEDED)} that the launcher needs in {api.namespace}")


async def _is_allowed(api: KubernetesApi, group: str, resource: str, verb: str) -> bool:
    kind, _, part = resource.partition("/")
    asked = {"namespace": api.namespace, "verb": verb, "group": group, "resource": kind}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {**asked, "subresource": part}},
    }
    return (await api.post(REVIEWS, body, _Review)).status.allowed


async def _namespace(api: KubernetesApi) -> Check:
    name = "namespace"
    try:
        found = await api.get(f"/api/v1/namespaces/{api.namespace}", AnyObject)
    except NotThere:
        return failed(name, f"there is no namespace {api.namespace}", _APPLY)
    except ProviderError:
        advice = "The ClusterRole of sandboxes.yaml allows to look at it."
        return warning(name, f"{api.namespace} cannot be looked at", advice)
    label, level = RESTRICTED
    if found.metadata.labels.get(label) != level:
        message = f"{api.namespace} takes pods that are not confined"
        return warning(name, message, f"Label it `{label}={level}`: sandboxes keep to that.")
    return ok(name, f"{api.namespace} takes pods of the level {level} alone")


async def _network_policy(api: KubernetesApi, policy: str) -> Check:
    path = api.path("networkpolicies", policy, NETWORKING)
    name = "NetworkPolicy"
    try:
        found = await api.find(path, AnyObject)
    except ProviderError:
        return failed(name, f"{policy} cannot be looked at", f"The role allows it: {_APPLY}")
    if found is None:
        return failed(name, f"there is no {policy}: no sandbox starts without it", _APPLY)
    return ok(name, f"{policy} is there; a network plugin has to enforce it")


async def _quota(api: KubernetesApi) -> Check:
    name = "quota"
    try:
        quotas = (await api.get(api.path("resourcequotas"), Listed[_Quota])).items
    except ProviderError:
        advice = "The role of sandboxes.yaml allows to look at it."
        return warning(name, "the quotas of the namespace cannot be looked at", advice)
    full = [
        f"{each.metadata.name}: {resource} {hard}"
        for each in quotas
        for resource, hard in each.status.hard.items()
        if each.status.used.get(resource) == hard
    ]
    if full:
        return warning(
            name, f"used up: {', '.join(full)}", "Raise it, or wait for sandboxes to end."
        )
    return ok(name, f"{len(quotas)} in the namespace, none used up")
