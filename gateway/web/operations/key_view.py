"""Views of API keys; the command line shows the same."""

from gateway.domain.operations.api_key import ApiKey
from gateway.web.convert import convert
from gateway.wire.keys import KeyView, NewKeyView, RateLimitView


def key_view(key: ApiKey) -> KeyView:
    return convert(KeyView, key, rate_limit=convert(RateLimitView, key.rate_limit))


def new_key_view(key: ApiKey, text: str, callback_secret: str | None) -> NewKeyView:
    """The only view that shows a key."""
    limit = convert(RateLimitView, key.rate_limit)
    return convert(NewKeyView, key, rate_limit=limit, key=text, callback_secret=callback_secret)
