"""The last use of a key is stored seldom."""

from gateway.domain.kernel.answers import Accepted, Answer
from gateway.domain.kernel.read_set import Command
from gateway.domain.operations.key_commands import NoteKeyUses
from gateway.loops.key_uses import EVERY, KeyUseRecorder


async def test_a_key_in_use_is_written_once_a_minute() -> None:
    uses: dict[str, int] = {}
    written: list[Command] = []

    async def submit(command: Command) -> Answer:
        written.append(command)
        return Accepted()

    recorder = KeyUseRecorder(lambda: uses, submit)
    await recorder.step()
    assert written == []
    uses["key_1"] = 1_000
    await recorder.step()
    uses |= {"key_1": 1_000 + EVERY - 1, "key_2": 5}
    await recorder.step()
    await recorder.step()
    uses["key_1"] = 1_000 + EVERY
    await recorder.step()
    assert written == [
        NoteKeyUses(uses={"key_1": 1_000}),
        NoteKeyUses(uses={"key_2": 5}),
        NoteKeyUses(uses={"key_1": 1_000 + EVERY}),
    ]
