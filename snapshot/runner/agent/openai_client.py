"""The SDK of OpenAI: its client, and its errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx2
import openai

from ..configuration import ModelAccess
from ..network.client import Network
from . import chat, provider_errors

BASE_URLS: Final = {
    "openai": "https://api.openai.com/v1",
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
    "openrouter": "https://openrouter.ai/api/v1",
}


def client(model: ModelAccess, network: Network) -> openai.OpenAI:
    """A client that asks once: who waits for the next try must end with the attempt."""
    base_url = model.base_url or BASE_URLS[model.provider]
    return openai.OpenAI(
        api_key=model.key.value if model.key else "",
        base_url=base_url,
        http_client=openai.DefaultHttpxClient(
            follow_redirects=False,
            trust_env=False,
            verify=network.context,
            proxy=network.proxies.of_url(base_url),
        ),
        max_retries=0,
        timeout=httpx2.Timeout(chat.TOKEN_SECONDS, connect=chat.CONNECT_SECONDS),
    )


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns the SDK's errors into `ModelFailure`."""
    try:
        yield
    except openai.APIStatusError as exc:
        raise provider_errors.refused(
            exc.status_code, exc.response.text, exc.response.headers
        ) from exc
    except openai.APIConnectionError as exc:
        raise provider_errors.unreachable(str(exc.__cause__ or exc)) from exc
    except httpx2.HTTPError as exc:
        # While the body of an error is read.
        raise provider_errors.unreachable(str(exc) or type(exc).__name__) from exc
    except openai.APIError as exc:
        # Inside a stream.
        raise provider_errors.told(exc.body or exc.message) from exc
    except (openai.OpenAIError, ValueError) as exc:
        raise provider_errors.garbage(str(exc)) from exc
