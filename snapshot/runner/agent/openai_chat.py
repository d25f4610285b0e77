"""OpenAI's chat completions, and every server of their protocol."""

from typing import Final, cast

import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from openai.types.chat.chat_completion_message_tool_call import ChatCompletionMessageToolCall

from ..configuration import ModelAccess
from ..network.client import PLAIN, Network
from . import chat
from .usage import priced

BASE_URLS: Final = {
    "openai": "https://api.openai.com/v1",
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
    "openrouter": "https://openrouter.ai/api/v1",
}


class OpenAIChat:
    def __init__(
        self, model: ModelAccess, *, network: Network = PLAIN, retries: int = chat.RETRIES
    ) -> None:
        self._model = model
        base_url = model.base_url or BASE_URLS[model.provider]
        self._client = openai.OpenAI(
            api_key=model.key.value if model.key else "",
            base_url=base_url,
            http_client=openai.DefaultHttpxClient(
                trust_env=False, verify=network.context, proxy=network.proxies.of_url(base_url)
            ),
            max_retries=retries,
            timeout=chat.TIMEOUT_SECONDS,
        )

    def complete(self, messages: list[chat.Message]) -> chat.Reply:
        """Ask once; the SDK retries temporary errors."""
        try:
            completion = self._client.chat.completions.create(
                model=self._model.name,
                # Our messages have this form already; only the checker does not know.
                messages=cast("list[ChatCompletionMessageParam]", messages),
                tools=[
                    {
                        "type": "function",
                        "function": {
                            "name": chat.TOOL,
                            "description": chat.TOOL_DESCRIPTION,
                            "parameters": chat.TOOL_PARAMETERS,
                        },
                    }
                ],
            )
        except openai.APIStatusError as exc:
            raise chat.refused(exc.status_code, exc.message) from exc
        except openai.APIConnectionError as exc:
            raise chat.unreachable(str(exc.__cause__ or exc)) from exc
        except (openai.OpenAIError, ValueError) as exc:
            raise chat.garbage(str(exc)) from exc
        try:
            return self._reply(completion)
        except (AttributeError, LookupError, TypeError, ValueError) as exc:
            # The SDK does not check what it parsed: a page of HTML comes back as a string.
            raise chat.garbage("it is no chat completion") from exc

    def _reply(self, completion: ChatCompletion) -> chat.Reply:
        choice = completion.choices[0]
        usage = completion.usage
        return chat.Reply(
            text=chat.plain(choice.message.content),
            calls=tuple(
                chat.Call(
                    id=chat.plain(call.id),
                    name=chat.plain(call.function.name),
                    arguments=chat.arguments(call.function.arguments or ""),
                )
                for call in choice.message.tool_calls or ()
                if isinstance(call, ChatCompletionMessageToolCall)
            ),
            tokens=priced(
                self._model.provider,
                self._model.name,
                input_tokens=chat.count(usage.prompt_tokens if usage else 0),
                output_tokens=chat.count(usage.completion_tokens if usage else 0),
            ),
            is_cut=choice.finish_reason == "length",
        )
