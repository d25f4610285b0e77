"""The SDK of OpenAI: its client, and its errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx2
import openai

from ..configuration import ModelAccess
from ..network.client import Network
from . import chat, provider_errors
from .provider_urls import BASE_URLS, base_url

GOOGLE_URL: Final = f"{BASE_URLS['google']}/openai"
"""Google's own server of OpenAI's protocol."""


def client(model: ModelAccess, network: Network) -> openai.OpenAI:
    """A client that asks once: who waits for the next try must end with the attempt."""
    is_googles = model.provider == "google" and not model.base_url
    url = GOOGLE_URL if is_googles else base_url(model)
    return openai.OpenAI(
        api_key=model.secret_key.value,
        base_url=url,
        http_client=openai.DefaultHttpxClient(
            follow_redirects=False,
            trust_env=False,
            verify=network.context_for(url),
            proxy=network.proxies.of_url(url),
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
        raise provider_errors.reported(exc.body or exc.message) from exc
    except (openai.OpenAIError, ValueError) as exc:
        raise provider_errors.malformed(str(exc)) from exc
