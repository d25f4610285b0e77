"""Operations: methods that are declared by their parameters and their answer, once for both
clients.

A declaration has no body: its parameters are those of the operation in snake case, and what is left
out, or has its default, is not sent.
"""

import inspect
from collections.abc import Awaitable, Callable
from functools import cached_property, wraps
from types import MethodType
from typing import Any, Concatenate, Final, Generic, ParamSpec, Self, TypeVar, overload

from slipgate.awaiting import AsyncPages, AwaitingClient
from slipgate.blocking import BlockingClient, Pages
from slipgate.call import Call, make_call
from slipgate.types import Page

P = ParamSpec("P")
T = TypeVar("T")
Declared = Callable[Concatenate[Any, P], T]


class Declaration(Generic[P, T]):
    """A method of both clients, and the operation of the API that it calls."""

    def __init__(self, verb: str, path: str, declared: Declared[P, T]) -> None:
        self.verb: Final = verb
        self.path: Final = path
        self._declared: Final = declared

        @wraps(declared)
        def method(client: Any, *args: P.args, **given: P.kwargs) -> object:  # noqa: ANN401 - either client
            return self._perform(client, self._call(*args, **given))

        self._method: Final = method

    @cached_property
    def parameters(self) -> inspect.Signature:
        """The parameters after `self`."""
        whole = inspect.signature(self._declared)
        return whole.replace(parameters=list(whole.parameters.values())[1:])

    @property
    def kind(self) -> Any:  # noqa: ANN401 - a type or an alias of one
        """The type of the answer."""
        return self._declared.__annotations__["return"]

    def _call(self, *args: P.args, **given: P.kwargs) -> Call[T]:
        parameters = self.parameters.parameters
        bound = self.parameters.bind(*args, **given).arguments
        changed = {
            name: value for name, value in bound.items() if value is not parameters[name].default
        }
        has_key = "idempotency_key" in parameters
        return make_call(self.verb, self.path, self.kind, changed, has_key=has_key)

    def _perform(self, client: Any, call: Call[T]) -> object:  # noqa: ANN401 - either client
        return client.exchange(call)


class Operation(Declaration[P, T]):
    """A method with one answer: `Slipgate` returns it, `AsyncSlipgate` has it awaited."""

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: BlockingClient, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AwaitingClient, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, client: object, owner: type) -> object:
        return self if client is None else MethodType(self._method, client)


class Listing(Declaration[P, Page[T]]):
    """A method whose answer is a list in pages."""

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: BlockingClient, owner: type) -> Callable[P, Pages[T]]: ...
    @overload
    def __get__(self, client: AwaitingClient, owner: type) -> Callable[P, AsyncPages[T]]: ...
    def __get__(self, client: object, owner: type) -> object:
        return self if client is None else MethodType(self._method, client)

    def _perform(self, client: Any, call: Call[Page[T]]) -> object:  # noqa: ANN401 - either client
        place = "cursor" if "cursor" in self.parameters.parameters else "after"
        return client.pages(call, place)


def operation(verb: str, path: str) -> Callable[[Declared[P, T]], Operation[P, T]]:
    """A decorator of a declaration."""
    return lambda declared: Operation(verb, path, declared)


def listing(path: str) -> Callable[[Declared[P, Page[T]]], Listing[P, T]]:
    """A decorator of the declaration of a list."""
    return lambda declared: Listing("GET", path, declared)
