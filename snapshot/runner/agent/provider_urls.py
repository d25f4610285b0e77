"""The addresses of the providers' APIs."""

from typing import Final

from ..configuration import ModelAccess

BASE_URLS: Final = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "google": "https://generativelanguage.googleapis.com/v1beta",
    "openrouter": "https://openrouter.ai/api/v1",
}


def base_url(model: ModelAccess) -> str:
    """The address that the operator gives, or the provider's own."""
    return model.base_url or BASE_URLS[model.provider]
