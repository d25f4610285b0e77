"""Names in a task's `env` that are not the caller's to give."""

import re
from collections.abc import Mapping
from typing import Final

from gateway.domain.errors import Refused
from gateway.wire.problem import FieldError

COMPUTED: Final = frozenset(
    {
        "TARGET_REPO",
        "BASE_BRANCH",
        "BRANCH_NAME",
        "TASK_ID",
        "AGENT_PROMPT",
        "MODEL_PROVIDER",
        "MODEL",
        "WEBHOOK_URL",
        "KEEP_ALIVE",
        "WORKSPACE_ID",
    }
)
"""What the gateway says itself."""
_DANGEROUS: Final = re.compile(
    r"SLIPGATE_.*|PATH|HOME|SHELL|ENV|BASH_ENV|NODE_OPTIONS|LD_.*|DYLD_.*|PYTHON.*|GIT_.*"
    r"|.*_PROXY",
    re.IGNORECASE,
)
_OWN_KEY: Final = {"GITHUB_API_URL": "GITHUB_TOKEN"}


def check_env(env: Mapping[str, str]) -> None:
    """Lets the environment of a task pass.

    Raises:
        Refused: `reserved_env`, naming every variable and the reason.
    """
    errors = [
        FieldError(path=f"$.env.{name}", message=reason)
        for name in env
        if (reason := _objection(name, env))
    ]
    if errors:
        raise Refused(
            "reserved_env",
            f"{errors[0].path}: {errors[0].message}.",
            hint="Leave these variables out, or give the service's own key with its address.",
            errors=tuple(errors),
        )


def _objection(name: str, env: Mapping[str, str]) -> str | None:
    if name in COMPUTED:
        return "the gateway sets this variable itself"
    if _DANGEROUS.fullmatch(name):
        return "this variable would change how programs in the sandbox run"
    needed = _OWN_KEY.get(name)
    if name.endswith("_BASE_URL"):
        needed = f"{name.removesuffix('_BASE_URL')}_API_KEY"
    if needed is not None and needed not in env:
        return f"nobody's key is sent to an address somebody else chose: give {needed} too"
    return None
