"""The rescue of an agent's files before its sandbox is removed, which it never delays."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence

import pytest

from gateway.wire.launcher import RescuedPiece
from launcher.jobs.context import LauncherContext
from launcher.jobs.rescue import rescue
from launcher.providers.local.provider import LocalProvider
from launcher.providers.protocol import Key, ProviderError
from tests.launcher.agents import WAITS
from tests.launcher.conftest import MakeLocal
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import a_job

PIECE = {"offset": 0, "chunk": "+a", "size": 2, "partial": True, "baseSha": "a" * 40}
LINE = json.dumps(PIECE).encode() + b"\n"


class Left(LocalProvider):
    """A provider whose sandbox holds files to rescue."""

    def set_output(self, lines: Sequence[bytes], failure: Exception | None, *, hangs: bool) -> None:
        """Replaces the output of the runner."""
        self._lines, self._failure, self._hangs = lines, failure, hangs

    async def rescue(self, key: Key) -> AsyncGenerator[bytes, None]:
        for line in self._lines:
            yield line
        if self._failure is not None:
            raise self._failure
        if self._hangs:
            await asyncio.Event().wait()


Make = Callable[..., tuple[LauncherContext, Left]]


@pytest.fixture
def left(make_context: Callable[..., LauncherContext], make_local: MakeLocal) -> Make:
    def make(
        *lines: bytes, failure: Exception | None = None, hangs: bool = False
    ) -> tuple[LauncherContext, Left]:
        context = make_context(*WAITS)
        provider = Left(make_local(WAITS)._state, environ={}, program=WAITS)  # noqa: SLF001
        provider.set_output(lines, failure, hangs=hangs)
        return context, provider

    return make


def pieces(gateway: StubGateway) -> list[RescuedPiece]:
    return [report for _, _, report in gateway.reports if isinstance(report, RescuedPiece)]


async def test_every_piece_is_sent_under_the_lease(left: Make, gateway: StubGateway) -> None:
    second = json.dumps({**PIECE, "offset": 2, "size": 4, "warnings": ["x is left out"]}).encode()
    context, provider = left(LINE, second)
    job = a_job("destroy", rescue=True)
    assert await rescue(context, job, provider) is None
    assert [(each.offset, each.lease_token) for each in pieces(gateway)] == [
        (0, job.lease_token),
        (2, job.lease_token),
    ]
    assert pieces(gateway)[1].warnings == ("x is left out",)


@pytest.mark.parametrize(
    "line",
    [b"rubbish\n", b"[]\n", b"{}\n", LINE.replace(b'"+a"', b"5"), LINE.replace(b"offset", b"x")],
)
async def test_an_invalid_piece_ends_the_rescue_with_a_problem(
    left: Make, gateway: StubGateway, line: bytes
) -> None:
    context, provider = left(LINE, line)
    failure = await rescue(context, a_job("destroy", rescue=True), provider)
    assert "could not be saved" in str(failure)
    assert len(pieces(gateway)) == 1


async def test_a_sandbox_that_does_not_tell_is_not_waited_for(
    left: Make, gateway: StubGateway
) -> None:
    context, provider = left(LINE, hangs=True)
    failure = await rescue(context, a_job("destroy", rescue=True), provider, seconds=0.2)
    assert "within 0 s" in str(failure)
    assert len(pieces(gateway)) == 1


async def test_a_provider_without_rescue_is_a_problem(left: Make) -> None:
    failure = ProviderError("provider_unavailable", "the daemon is away", retryable=True)
    context, provider = left(failure=failure)
    assert "the daemon is away" in str(await rescue(context, a_job("destroy"), provider))
