"""Which variables a sandbox gets: the launcher's chosen ones, under what the job says."""

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import urlsplit

from gateway.wire.service_address import belongs_to, service_of

MODEL_SERVICES: Mapping[str, str] = MappingProxyType(
    {"openai": "OPENAI", "anthropic": "ANTHROPIC", "openrouter": "OPENROUTER"}
)
"""MODEL_PROVIDER → the prefix of that service's variables."""


def sandbox_environment(forwarded_env: Mapping[str, str], job: Mapping[str, str]) -> dict[str, str]:
    """`handed` (the launcher's own) under `job` (the gateway's and the task's), which wins.

    Of the model services only the chosen one's variables go along, and none of our credentials
    goes to an address that came with the job.
    """
    readdressed = {service for name in job if (service := service_of(name))}
    check_owner = {
        name: value
        for name, value in forwarded_env.items()
        if is_for(name, job) and not any(belongs_to(name, service) for service in readdressed)
    }
    return check_owner | dict(job)


def is_for(name: str, job: Mapping[str, str]) -> bool:
    """Whether a variable is no other model service's than the one the job has chosen."""
    return _service(name) in (None, MODEL_SERVICES.get(job.get("MODEL_PROVIDER", "")))


def real_model_keys(forwarded_env: Mapping[str, str]) -> list[str]:
    """Names of model keys that would be sent somewhere else than to this machine."""
    return [
        f"{prefix}_API_KEY"
        for prefix in MODEL_SERVICES.values()
        if forwarded_env.get(f"{prefix}_API_KEY")
        and not is_loopback(forwarded_env.get(f"{prefix}_BASE_URL", ""))
    ]


def _service(name: str) -> str | None:
    """The prefix of the model service a variable belongs to."""
    prefix = name.partition("_")[0]
    return prefix if prefix in MODEL_SERVICES.values() else None


def is_loopback(url: str) -> bool:
    """Whether an address leads to this very machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
