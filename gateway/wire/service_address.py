"""Variables that set the address of a service, or the headers of its requests: a key must only be
sent to an address that the key's owner chose.

The names are what the services' own libraries and LiteLLM read (openai 2, anthropic 0.7x,
google-genai 1, mistralai, groq, cohere, huggingface_hub, botocore, litellm 1.8x), and gh.
"""

import re
from typing import Final

_KEYS: Final = {
    "AWS": ("AWS_SECRET_ACCESS_KEY",),
    "BEDROCK": ("AWS_SECRET_ACCESS_KEY",),
    "AZURE_OPENAI": ("AZURE_OPENAI_API_KEY",),
    "CO": ("CO_API_KEY",),
    "DATABRICKS": ("DATABRICKS_TOKEN",),
    "GH": ("GITHUB_TOKEN",),
    "GITHUB": ("GITHUB_TOKEN",),
    "GITLAB": ("GITLAB_TOKEN",),
    "GEMINI": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "GOOGLE": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "HF": ("HF_TOKEN",),
    "HUGGINGFACE": ("HF_TOKEN",),
    "VERTEX": ("GOOGLE_APPLICATION_CREDENTIALS",),
    "VERTEXAI": ("GOOGLE_APPLICATION_CREDENTIALS",),
}
"""Keys that are not called `<service>_API_KEY`; libraries try one after the other, so all of them
must be the caller's."""
_ALIASES: Final = {
    "ANTHROPIC_AWS": "AWS",
    "ANTHROPIC_BEDROCK": "AWS",
    "ANTHROPIC_BEDROCK_MANTLE": "AWS",
    "ANTHROPIC_GOOGLE_CLOUD": "VERTEX",
    "ANTHROPIC_VERTEX": "VERTEX",
    "GOOGLE_VERTEX": "VERTEX",
}
"""A service that is reached through another."""
_SERVICES: Final = "|".join(
    sorted(
        (
            *_ALIASES,
            *_KEYS,
            *("ANTHROPIC", "ANTHROPIC_FOUNDRY", "AZURE", "AZURE_AI", "CEREBRAS", "COHERE"),
            *("DASHSCOPE", "DEEPSEEK", "FIREWORKS", "FIREWORKS_AI", "GROQ", "LITELLM"),
            *("LITELLM_PROXY", "MISTRAL", "MOONSHOT", "NVIDIA_NIM", "OLLAMA", "OPENAI"),
            *("OPENROUTER", "OR", "PERPLEXITY", "REPLICATE", "TOGETHER", "TOGETHER_AI"),
            *("TOGETHERAI", "VOYAGE", "WATSONX", "WX", "XAI", "ZAI"),
        ),
        key=len,
        reverse=True,
    )
)
_OF_A_SERVICE: Final = re.compile(
    rf"({_SERVICES})_(?:.+_)?"
    r"(?:URL|URI|BASE|HOST|ENDPOINT|SERVER|DOMAIN|RESOURCE|AUTHORITY|HEADERS)(?:_.+)?"
)
_OF_ANY: Final = re.compile(
    r"(.+?)_(?:API_BASE(?:_.+)?|(?:API_)?BASE_UR[LI]|API_ENDPOINT|CUSTOM_HEADERS|DEFAULT_HEADERS)"
)
_BY_NAME: Final = {"GH_REPO": "GH", "CI_SERVER_URL": "GITLAB", "GCE_METADATA_HOST": "GOOGLE"}


def service_of(name: str) -> str | None:
    """The service whose requests this variable redirects or changes; case is ignored, as in some
    libraries."""
    name = name.upper()
    if name in _BY_NAME:
        return _BY_NAME[name]
    found = _OF_A_SERVICE.fullmatch(name) or _OF_ANY.fullmatch(name)
    return None if found is None else _ALIASES.get(found[1], found[1])


def keys_of(service: str) -> tuple[str, ...]:
    return _KEYS.get(service, (f"{service}_API_KEY",))


def belongs_to(name: str, service: str) -> bool:
    """True if a variable may hold a credential of a service, by its name."""
    return name in keys_of(service) or name.partition("_")[0] == service.partition("_")[0]
