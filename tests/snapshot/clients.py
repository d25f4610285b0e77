"""The providers' own clients, imported where a test needs one: each takes seconds."""

from snapshot.runner.agent.chat import Chat
from snapshot.runner.configuration import ModelAccess


def client_of(model: ModelAccess) -> Chat:
    """Anthropic's, or OpenAI's for all that speak its protocol."""
    if model.provider == "anthropic":
        from snapshot.runner.agent.anthropic_chat import AnthropicChat  # noqa: PLC0415

        return AnthropicChat(model)
    from snapshot.runner.agent.openai_chat import OpenAIChat  # noqa: PLC0415

    return OpenAIChat(model)
