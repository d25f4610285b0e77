"""Errors of the Kubernetes API, which answers with a `Status` object.

Source: kubernetes.io, "API Conventions", "Response Status Kind": `reason` is for machines.
"""

from typing import Final

import msgspec

from gateway.wire.truncation import head_and_tail
from launcher.providers.protocol import ErrorRule, ProviderError, find_rule

_MESSAGE_CHARACTERS: Final = 1_000
_GRANT: Final = (
    "gateway/deploy/kubernetes/sandboxes.yaml has the role that a launcher needs; `slipgate "
    "doctor` names what is missing."
)
QUOTA: Final = "exceeded quota"
RULES: Final = (
    ErrorRule(
        QUOTA,
        "provider_quota",
        "Sandboxes that end make room; or raise the ResourceQuota of the namespace.",
        retryable=True,
    ),
    ErrorRule(
        r"must specify (limits|requests)|(minimum|maximum) \S+ usage per|violates PodSecurity",
        "provider_refused",
        "The namespace's LimitRange, ResourceQuota or pod security level does not take a sandbox: "
        "look at SLIPGATE_KUBERNETES_LIMITS and _REQUESTS, and at the namespace's labels.",
    ),
    ErrorRule(
        r"admission webhook .* denied|denied by|ValidatingAdmissionPolicy",
        "provider_refused",
        "A policy of the cluster refuses sandboxes; whoever keeps it can make an exception.",
    ),
    ErrorRule(r"failed calling webhook", "provider_unavailable", retryable=True),
    ErrorRule(
        r"being terminated",
        "provider_refused",
        "The namespace is being deleted: SLIPGATE_KUBERNETES_NAMESPACE has to name one that stays.",
    ),
    ErrorRule(
        r"namespaces? \"\S+\" not found",
        "provider_refused",
        "`kubectl apply -f gateway/deploy/kubernetes/sandboxes.yaml` makes the namespace; "
        "SLIPGATE_KUBERNETES_NAMESPACE names another one.",
    ),
    ErrorRule(
        r"could not find the requested resource",
        "provider_refused",
        "The cluster has to be Kubernetes 1.29 or later.",
    ),
)
"""Messages of the API server, and those of its controllers about a pod that they cannot make."""
_BY_STATUS: Final = {
    401: ("provider_auth", "The cluster does not take the launcher's credentials."),
    403: ("provider_auth", _GRANT),
}
_TRANSIENT: Final = (408, 409, 429, 500, 502, 503, 504)


class NotThere(ProviderError):
    """404: there is no such object."""


class AlreadyThere(ProviderError):
    """409 AlreadyExists: the name is taken."""


class Conflicting(ProviderError):
    """409 Conflict: the object is not the one, or not the version, that the call is about."""


class Expired(ProviderError):
    """410: the resource version, or the place in a list, is too old."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A failure's kind, as the API server tells it."""

    kind: str = ""
    code: int = 0
    reason: str = ""
    message: str = ""


def status_error(status: Status, *, retry_after: float = 0.0) -> ProviderError:
    message = head_and_tail(" ".join(status.message.split()), _MESSAGE_CHARACTERS) or status.reason
    text = f"kubernetes: {message.rstrip('.') or f'HTTP {status.code}'}"
    rule = find_rule(RULES, message)
    if status.code == 404 and rule is None:
        return NotThere("provider_unavailable", text, retryable=True)
    if status.code == 409 and status.reason == "AlreadyExists":
        return AlreadyThere("provider_unavailable", text, retryable=True)
    if status.code == 409:
        return Conflicting("provider_unavailable", text, retryable=True)
    if status.code == 410:
        return Expired("provider_unavailable", text, retryable=True)
    if rule is not None:
        return _by_rule(rule, text, retry_after)
    if status.code in _TRANSIENT:
        return unavailable(message or f"HTTP {status.code}", retry_after)
    code, advice = _BY_STATUS.get(status.code, ("provider_refused", ""))
    return ProviderError(code, f"{text}. {advice}".rstrip())


def creation_error(message: str) -> ProviderError:
    """The failure of a controller to make a Job's pod; None of them ends the Job."""
    text = head_and_tail(" ".join(message.split()), _MESSAGE_CHARACTERS)
    rule = find_rule(RULES, text)
    return _by_rule(rule, f"kubernetes: {text.rstrip('.')}") if rule else unavailable(text)


def unavailable(message: str, retry_after: float = 0.0) -> ProviderError:
    text = f"kubernetes: {message}"
    return ProviderError("provider_unavailable", text, retryable=True, retry_after=retry_after)


def unusable(message: str) -> ProviderError:
    """The failure of a kubeconfig, or of credentials, that only a person can mend."""
    return ProviderError("provider_auth", f"kubernetes: {message}")


def _by_rule(rule: ErrorRule, text: str, retry_after: float = 0.0) -> ProviderError:
    return ProviderError(
        rule.code,
        f"{text}. {rule.advice}".rstrip(),
        retryable=rule.retryable,
        retry_after=retry_after,
    )
