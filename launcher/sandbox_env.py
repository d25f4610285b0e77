"""The variables of a sandbox: forwarded ones of the launcher, overridden by those of the job.

They travel in a file that the sandbox's entry point reads and removes, so that no command line, no
process environment and no container configuration shows them.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.wire.environment import is_loopback
from gateway.wire.service_address import belongs_to, service_of
from launcher.providers.protocol import ProviderError

MODEL_SERVICES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "openai": "OPENAI",
        "anthropic": "ANTHROPIC",
        "google": "GEMINI",
        "openrouter": "OPENROUTER",
    }
)
"""MODEL_PROVIDER → prefix of that service's variables."""
VALUE_BYTES: Final = 128 * 1024 - 1
"""Linux starts no process with a longer string (`NAME=value` and a NUL)."""
ALL_BYTES: Final = 1_500_000
"""Linux starts no process with more than 2 MiB of arguments and variables in all."""
VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def sandbox_environment(
    forwarded_env: Mapping[str, str], job_env: Mapping[str, str]
) -> dict[str, str]:
    """`job_env` wins. Of the model services only the chosen one's variables are forwarded, and no
    credential of the launcher goes to an address that came with the job."""
    forwarded = {
        name: value
        for name, value in forwarded_env.items()
        if is_for(name, job_env) and not is_readdressed(name, job_env)
    }
    return forwarded | dict(job_env)


def is_readdressed(name: str, job_env: Mapping[str, str]) -> bool:
    """True if the job brings the address of the service that this credential is for."""
    services = (service for each in job_env if (service := service_of(each)))
    return any(belongs_to(name, service) for service in services)


def is_for(name: str, job_env: Mapping[str, str]) -> bool:
    """False if the variable belongs to a model service that the job has not chosen."""
    prefix = name.partition("_")[0]
    chosen = MODEL_SERVICES.get(job_env.get("MODEL_PROVIDER", ""))
    return prefix not in MODEL_SERVICES.values() or prefix == chosen


def real_model_keys(forwarded_env: Mapping[str, str]) -> list[str]:
    """Names of model keys that would be sent to another machine."""
    return [
        f"{prefix}_API_KEY"
        for prefix in MODEL_SERVICES.values()
        if forwarded_env.get(f"{prefix}_API_KEY")
        and not is_loopback(forwarded_env.get(f"{prefix}_BASE_URL", ""))
    ]


def check_variables(variables: Mapping[str, str]) -> None:
    """Raises `ProviderError` if no process can have one of them: commands of the agent get the
    task's own."""
    for name, value in variables.items():
        if not VARIABLE_NAME.fullmatch(name):
            raise _invalid(f"{name[:100]!r} is no name for a variable")
        if "\0" in value or _size(name, value) > VALUE_BYTES:
            raise _invalid(f"Linux does not take {name}: it is over 128 KiB or holds a NUL")
    if sum(_size(name, value) for name, value in variables.items()) > ALL_BYTES:
        raise _invalid(f"the variables have more than {ALL_BYTES:,} bytes in all")


def _size(name: str, value: str) -> int:
    return len(f"{name}={value}".encode(errors="surrogateescape"))


def _invalid(message: str) -> ProviderError:
    return ProviderError("invalid_environment", message)
