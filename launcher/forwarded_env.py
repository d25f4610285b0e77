"""The variables of the launcher that are passed on to sandboxes."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from gateway.wire.environment import EnvironmentReader
from launcher.sandbox_env import VARIABLE_NAME, real_model_keys

DEFAULT_NAMES: Final = (
    "OPENAI_API_KEY,ANTHROPIC_API_KEY,GEMINI_API_KEY,OPENROUTER_API_KEY,GITHUB_TOKEN"
)
PULL_REQUESTS: Final = "SLIPGATE_PULL_REQUESTS"
PULL_REQUEST_KINDS: Final = ("draft", "ready")
MODEL_PRICES: Final = "SLIPGATE_MODEL_PRICES"
MODEL_API: Final = "SLIPGATE_MODEL_API"
MODEL_APIS: Final = ("", "chat", "responses")
OF_EVERY_SANDBOX: Final = (PULL_REQUESTS, "SLIPGATE_SIGNING_KEY", MODEL_PRICES, MODEL_API)
"""Settings of an installation that every sandbox gets."""


class ModelPrice(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """USD per million tokens, as the runner reads it."""

    input: Annotated[float, msgspec.Meta(ge=0)]
    output: Annotated[float, msgspec.Meta(ge=0)]
    cache_read: Annotated[float, msgspec.Meta(ge=0)] | None = None
    cache_write: Annotated[float, msgspec.Meta(ge=0)] | None = None


def read_forwarded_env(reader: EnvironmentReader) -> dict[str, str]:
    """The variables that SLIPGATE_SANDBOX_ENV names, and those of every sandbox."""
    names = reader.names("SLIPGATE_SANDBOX_ENV", DEFAULT_NAMES)
    for name in names:
        if not VARIABLE_NAME.fullmatch(name):
            reader.problems.append("SLIPGATE_SANDBOX_ENV must be names of variables, not values")
        elif name.startswith("SLIPGATE_"):
            reader.problems.append(
                f"SLIPGATE_SANDBOX_ENV names {name}: the launcher's own variables stay here"
            )
    if (reader.environ.get(PULL_REQUESTS) or "draft") not in PULL_REQUEST_KINDS:
        reader.problems.append(f"{PULL_REQUESTS} must be {' or '.join(PULL_REQUEST_KINDS)}")
    _check_models(reader)
    every = (*names, *OF_EVERY_SANDBOX)
    return {name: reader.environ[name] for name in every if reader.environ.get(name)}


def _check_models(reader: EnvironmentReader) -> None:
    try:
        msgspec.json.decode(reader.text(MODEL_PRICES, "{}"), type=dict[str, ModelPrice])
    except msgspec.MsgspecError as exc:
        reader.problems.append(
            f'{MODEL_PRICES} must be a JSON object like {{"my-model-*": {{"input": 1.25, '
            f'"output": 10, "cacheRead": 0.13, "cacheWrite": 1.5}}}}, in USD per million '
            f"tokens: {exc}"
        )
    if reader.text(MODEL_API) not in MODEL_APIS:
        reader.problems.append(f"{MODEL_API} must be chat or responses")


def check_confinement(
    reader: EnvironmentReader, providers: tuple[str, ...], forwarded_env: Mapping[str, str]
) -> None:
    """Requires SLIPGATE_LOCAL_UNCONFINED for agents on this host that get real model keys."""
    is_accepted = reader.flag("SLIPGATE_LOCAL_UNCONFINED")
    keys = real_model_keys(forwarded_env)
    if "local" in providers and keys and not is_accepted:
        reader.problems.append(
            f"SLIPGATE_LOCAL_UNCONFINED is not true, and {', '.join(keys)} would be handed to "
            "agents that run on this host without a sandbox. Set it to true if you accept "
            "that they can read and change everything you can"
        )
