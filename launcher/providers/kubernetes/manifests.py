"""The Job of a sandbox, and the Secret with its variables.

The pod has three containers of the sandbox's image. The first puts the variables into the state
directory, and alone can read the Secret. The agent's runs the image's entrypoint. The third only
stays: its end, not the agent's, would be the pod's, and with a pod go its files.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from launcher.kubernetes_settings import KubernetesSettings
from launcher.providers.kubernetes.schema import (
    AGENT,
    NAME_LABEL,
    SIDECAR,
    SNAPSHOT,
    Job,
)
from launcher.providers.protocol import STOP_SECONDS, ProviderError, SandboxSpec

STATE: Final = "/slipgate/state"
"""The state directory of every sandbox, made by the image's own user."""
FILE: Final = "environment.json"
SECRET_BYTES: Final = 1_000_000
"""The API server takes 1 MiB of a Secret's data."""
FINISHED_SECONDS: Final = 24 * 3600
"""A Job that has ended without us is deleted after this time; nothing in it can be read."""

_INIT: Final = "environment"
_VARIABLES: Final = "/slipgate-environment"
_PUT: Final = f'umask 077; mkdir -p "{STATE}"; cat "{_VARIABLES}/{FILE}" >"{STATE}/{FILE}"'
_STAY: Final = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"
_SIDECAR_LIMITS: Final = {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}
"""It saves what an ended agent left, which takes Git."""
_SIDECAR_REQUESTS: Final = {"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "32Mi"}
_CONFINED: Final = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


def job_body(spec: SandboxSpec, image: str, settings: KubernetesSettings) -> dict[str, Any]:
    """Suspended, so that no pod is made before its variables are there. Nothing in it makes a
    second pod for one that has ended, was evicted or is lost."""
    labels = {**spec.labels, NAME_LABEL: spec.key.name}
    ttl = settings.ttl_minutes
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": spec.key.name,
            "labels": labels,
            "annotations": {SNAPSHOT: spec.snapshot or ""},
        },
        "spec": {
            "suspend": True,
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    }
                ]
            },
            **({"activeDeadlineSeconds": ttl * 60} if ttl else {}),
            "ttlSecondsAfterFinished": FINISHED_SECONDS,
            "template": {
                "metadata": {"labels": labels, "annotations": _UNDISTURBED},
                "spec": _pod(spec.key.name, image, settings),
            },
        },
    }


_UNDISTURBED: Final = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
"""An agent's work cannot move to another node."""


def _pod(name: str, image: str, settings: KubernetesSettings) -> dict[str, Any]:
    state = {"name": "state", "mountPath": "/slipgate"}
    limits, requests = dict(settings.limits), dict(settings.requests)
    small = {"limits": _SIDECAR_LIMITS, "requests": _SIDECAR_REQUESTS}
    common: dict[str, Any] = {"image": image, "securityContext": _CONFINED}
    variables = {"name": "variables", "mountPath": _VARIABLES, "readOnly": True}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": STOP_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [
            {
                **common,
                "name": _INIT,
                "command": ["sh", "-c", _PUT],
                "resources": small,
                "volumeMounts": [state, variables],
            }
        ],
        "containers": [
            {
                **common,
                "name": AGENT,
                "env": [{"name": "SLIPGATE_STATE_DIR", "value": STATE}],
                "resources": {"limits": limits, "requests": requests},
                "volumeMounts": [state],
            },
            {
                **common,
                "name": SIDECAR,
                "command": ["sh", "-c", _STAY],
                "resources": small,
                "volumeMounts": [state],
            },
        ],
        "volumes": [
            {"name": "state", "emptyDir": _size(limits)},
            {"name": "variables", "secret": {"secretName": name}},
        ],
    }
    return pod | _placement(settings)


def _size(limits: Mapping[str, str]) -> dict[str, str]:
    size = limits.get("ephemeral-storage")
    return {"sizeLimit": size} if size else {}


def _placement(settings: KubernetesSettings) -> dict[str, Any]:
    placement: dict[str, Any] = {}
    if settings.runtime_class:
        placement["runtimeClassName"] = settings.runtime_class
    if settings.node_selector:
        placement["nodeSelector"] = dict(settings.node_selector)
    if settings.tolerations:
        placement["tolerations"] = [
            {"key": each.key, "effect": each.effect}
            | ({"operator": "Exists"} if each.value is None else {"value": each.value})
            for each in settings.tolerations
        ]
    if settings.pull_secret:
        placement["imagePullSecrets"] = [{"name": settings.pull_secret}]
    return placement


def secret_body(job: Job, variables: Mapping[str, str]) -> dict[str, Any]:
    """It is deleted with the Job, if not before. Raises `ProviderError`."""
    content = json.dumps(dict(variables)).encode()
    if len(content) > SECRET_BYTES:
        message = f"a Secret of Kubernetes does not hold variables of over {SECRET_BYTES:,} bytes"
        raise ProviderError("invalid_environment", message)
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": job.metadata.name,
        "uid": job.metadata.uid,
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": job.metadata.name,
            "labels": job.metadata.labels,
            "ownerReferences": [owner],
        },
        "type": "Opaque",
        "data": {FILE: base64.b64encode(content).decode()},
    }
