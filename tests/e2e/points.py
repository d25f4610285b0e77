"""The points of a task at which something is killed."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from gateway.demo.sample import MODULE
from tests.e2e.frontend import Followed
from tests.e2e.house import House

Reach = Callable[[House, Followed], Awaitable[object]]

MENDING: Final = "s|sum(prices) - discount_percent|sum(prices) * (100 - discount_percent) // 100|"
BY_COMMAND: Final = {"engine": "command", "command": ["sed", "-i", MENDING, MODULE]}
"""Does the work at once: quicker than a conversation with a model."""
BY_MODEL: Final = {"engine": "mini"}


async def accepted(house: House, task: Followed) -> None:
    """The POST was answered."""


async def launching(house: House, task: Followed) -> None:
    """A launcher holds the job."""
    await task.until_type("task.launching")


async def launched(house: House, task: Followed) -> None:
    """The sandbox exists, its agent has not spoken."""
    await task.until_type("task.launched")


async def cloning(house: House, task: Followed) -> None:
    """The agent was told that it may begin."""
    await task.until_stage("clone")


async def agent_turn(house: House, task: Followed) -> None:
    """The agent waits for the model."""
    await house.at_model.reached()


async def push_asked(house: House, task: Followed) -> None:
    """The agent was told that it may push."""
    await task.until_stage("push")


async def pull_request(house: House, task: Followed) -> None:
    """The branch is pushed, the pull request asked for."""
    await house.at_pull_request.reached()


async def terminal(house: House, task: Followed) -> None:
    """The agent's last word was taken."""
    await task.until_type("task.completed")


async def destroyed(house: House, task: Followed) -> None:
    """The launcher said that it stopped the sandbox."""
    await task.until_type("sandbox.destroyed")


OF_THE_GATEWAY: Final[tuple[Reach, ...]] = (
    accepted,
    launching,
    cloning,
    agent_turn,
    push_asked,
    pull_request,
    terminal,
)
OF_THE_LAUNCHER: Final[tuple[Reach, ...]] = (*OF_THE_GATEWAY, launched, destroyed)
OF_THE_AGENT: Final[tuple[Reach, ...]] = (cloning, push_asked, pull_request)
"""Beside `agent_turn`, which takes a conversation for each attempt."""


def name(reach: Reach) -> str:
    """For the test's id."""
    return reach.__name__


def agent(reach: Reach) -> dict[str, Any]:
    """The engine with which the point can be reached."""
    return BY_MODEL if reach is agent_turn else BY_COMMAND


def hold(house: House, reach: Reach) -> None:
    """Shuts the gate at which the task then waits to be killed."""
    if reach is agent_turn:
        house.at_model.shut()
    if reach in {push_asked, pull_request}:
        house.at_pull_request.shut()


def let_go(house: House) -> None:
    """Opens all gates."""
    house.at_model.open()
    house.at_pull_request.open()
