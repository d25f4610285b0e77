"""The settings of sandboxes in Kubernetes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.wire.environment import EnvironmentReader

NAMESPACE: Final = "slipgate-sandboxes"
"""The namespace that gateway/deploy/kubernetes/sandboxes.yaml makes."""
NETWORK_POLICY: Final = "slipgate-sandboxes"
NO_NETWORK_POLICY: Final = "none"
LIMITS: Final = {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "20Gi"}
REQUESTS: Final = {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "2Gi"}

_LABEL_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NAME: Final = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?")
_QUALIFIED: Final = re.compile(
    r"([a-z0-9][a-z0-9.-]{0,251}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
)
_QUANTITY: Final = re.compile(r"\d{1,12}(\.\d{1,3})?(m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_VALUE: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@dataclass(frozen=True, kw_only=True, slots=True)
class Toleration:
    """A taint that sandboxes may be scheduled to; `value` None: whatever its value."""

    key: str
    value: str | None
    effect: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KubernetesSettings:
    """A namespace, and the pods of its sandboxes."""

    context: str
    """Of the kubeconfig; empty: its current one, or the cluster that the launcher runs in."""
    namespace: str
    images: Mapping[str, str]
    """Snapshot → image, if the image has another name."""
    limits: Mapping[str, str]
    requests: Mapping[str, str]
    node_selector: Mapping[str, str]
    tolerations: tuple[Toleration, ...]
    runtime_class: str
    pull_secret: str
    network_policy: str
    """The NetworkPolicy that has to be there; empty: none of Kubernetes' own."""
    ttl_minutes: int | None
    """Age at which the cluster ends a sandbox, the last safeguard against leaks; None: never."""


def read_kubernetes(reader: EnvironmentReader, ttl_minutes: int | None) -> KubernetesSettings:
    name, a_name = _NAME, "the name of an object in the cluster"
    limits = LIMITS | _quantities(reader, "SLIPGATE_KUBERNETES_LIMITS", "cpu=4,memory=8Gi")
    policy = reader.matching(
        "SLIPGATE_KUBERNETES_NETWORK_POLICY", name, NETWORK_POLICY, f"{a_name}, or none"
    )
    return KubernetesSettings(
        context=reader.text("SLIPGATE_KUBERNETES_CONTEXT"),
        namespace=reader.matching(
            "SLIPGATE_KUBERNETES_NAMESPACE", _LABEL_NAME, NAMESPACE, "the name of a namespace"
        ),
        images=reader.pairs(
            "SLIPGATE_KUBERNETES_IMAGES",
            "slipgate-agent-1=ghcr.io/acme/agent:12",
            lambda snapshot, image: bool(snapshot and image),
        ),
        limits=limits,
        requests=REQUESTS
        | _quantities(reader, "SLIPGATE_KUBERNETES_REQUESTS", "cpu=500m,memory=1Gi"),
        node_selector=reader.pairs(
            "SLIPGATE_KUBERNETES_NODE_SELECTOR",
            "acme.dev/pool=agents",
            lambda key, value: bool(
                value and _QUALIFIED.fullmatch(key) and _VALUE.fullmatch(value)
            ),
        ),
        tolerations=_tolerations(reader),
        runtime_class=reader.matching("SLIPGATE_KUBERNETES_RUNTIME_CLASS", name, "", a_name),
        pull_secret=reader.matching("SLIPGATE_KUBERNETES_PULL_SECRET", name, "", a_name),
        network_policy="" if policy == NO_NETWORK_POLICY else policy,
        ttl_minutes=ttl_minutes,
    )


def _quantities(reader: EnvironmentReader, name: str, example: str) -> dict[str, str]:
    return reader.pairs(
        name,
        example,
        lambda key, value: bool(_QUALIFIED.fullmatch(key) and _QUANTITY.fullmatch(value)),
    )


def _tolerations(reader: EnvironmentReader) -> tuple[Toleration, ...]:
    """Written as `kubectl taint` writes taints."""
    name, found = "SLIPGATE_KUBERNETES_TOLERATIONS", []
    for word in reader.names(name):
        taint, _, effect = word.partition(":")
        key, equals, value = taint.partition("=")
        found.append(Toleration(key=key, value=value if equals else None, effect=effect))
    if not all(
        _QUALIFIED.fullmatch(each.key)
        and _VALUE.fullmatch(each.value or "")
        and each.effect in _EFFECTS
        for each in found
    ):
        reader.problems.append(f"{name} must be taints like acme.dev/pool=agents:NoSchedule")
    return tuple(found)
