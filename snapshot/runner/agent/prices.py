"""Dollars from tokens, by the price list that came with the image."""

from .meter import Tokens


def priced(provider: str, model: str, *, input_tokens: int, output_tokens: int) -> Tokens:
    """Tokens with their price; an unknown model has none."""
    return Tokens(
        input=input_tokens,
        output=output_tokens,
        cost_usd=_price(provider, model, input_tokens, output_tokens),
    )


def _price(provider: str, model: str, input_tokens: int, output_tokens: int) -> float | None:
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - a big table, read when needed

    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    try:
        return float(calc_price(usage, model, provider_id=provider).total_price)
    except LookupError:
        return None
