"""The words for an event that says figures or a state: the usage so far, the sandbox."""

from typing import Final

import msgspec

from gateway.domain.tasks.event import UsageTotals

_OF_SANDBOX: Final = ("sandbox.", "task.launched")


class _Sandbox(msgspec.Struct, frozen=True):
    name: str | None = None
    state: str | None = None
    provider: str | None = None


class _AboutSandbox(msgspec.Struct, frozen=True):
    sandbox: _Sandbox | None = None


def event_words(kind: str, data: msgspec.Raw) -> str:
    """The usage, or the state of the sandbox (its name before it has one); empty for other events
    and for data that has another shape, as an agent may send any."""
    try:
        if kind == "task.usage":
            return _usage(msgspec.json.decode(data, type=UsageTotals))
        if kind.startswith(_OF_SANDBOX):
            return _sandbox(msgspec.json.decode(data, type=_AboutSandbox).sandbox)
    except msgspec.ValidationError:
        pass
    return ""


def _usage(total: UsageTotals) -> str:
    tokens = f"{total.input_tokens} tokens in, {total.output_tokens} out"
    return f"{total.turns} turns, {tokens}, {total.cost_usd:.2f} USD"


def _sandbox(sandbox: _Sandbox | None) -> str:
    if sandbox is None:
        return ""
    return " at ".join(word for word in (sandbox.state or sandbox.name, sandbox.provider) if word)
