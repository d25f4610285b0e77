"""Our own part of a conversation, counted by a tokenizer: the scaffold, and observations."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from snapshot.runner.agent.instructions import Instruction
from snapshot.runner.agent.prompt import first_prompt
from tests.interop.node import needs_node, project, run
from tests.snapshot import mini_agent
from tests.snapshot.model_stub import DONE
from tests.snapshot.provider_stub import ProviderStub, Turn
from tests.snapshot.test_prompt import with_
from tests.snapshot.test_protocols import PROTOCOLS

pytestmark: Final = [
    needs_node(),
    pytest.mark.filterwarnings("ignore:The model:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using Claude:UserWarning"),
]
LARGEST_SCAFFOLD: Final = 600
LARGEST_RATIO: Final = 1.1
"""Tokens of an observation as it is sent, for each of the text alone."""
OBSERVED: Final = {
    "English": "FAILED tests/test_api.py::test_login - AssertionError: expected 200, got 401\n",
    "Chinese": "错误:无法打开文件“配置.toml”,因为它不存在。请检查路径,然后再试一次。\n",
    "Japanese": "エラー: 設定ファイルが見つかりません。パスを確認してから、再試行してください。\n",
    "Korean": "오류: 설정 파일을 찾을 수 없습니다. 경로를 확인한 다음 다시 시도하십시오.\n",
    "Arabic": "خطأ: تعذر فتح ملف الإعدادات لأنه غير موجود. تحقق من المسار ثم حاول مرة أخرى.\n",
    "Hindi": "त्रुटि: सेटिंग फ़ाइल नहीं मिली। कृपया पथ की जाँच करें और फिर से प्रयास करें।\n",
    "Russian": "Ошибка: файл настроек не найден. Проверьте путь и попробуйте ещё раз.\n",
    "emoji": "✅ 12 passed 🎉 👩‍👩‍👧‍👦 🏳️‍🌈 ❌ 1 failed 😭\n",
    "JSON": json.dumps({"path": "C:\\a\\b", "text": 'say "hi"\n', "n": [1, 2.5, None]}) + "\n",
    "escapes": '\x1b[31m- "a\\"b"\x1b[0m\t\\\\server\\share <b>&amp;</b> {{ not_a_template }}\n',
    "code": "def f(x: int) -> str:\n    return f\"{x!r}\\n\" if x else 'none'  # 100 %\n",
}
LINES: Final = 8
"""Of each text: a short command's output."""


def _observations(body: object) -> Iterator[str]:
    """The results of tools in a request, in any of the protocols."""
    if isinstance(body, list):
        for each in body:
            yield from _observations(each)
    elif isinstance(body, dict):
        if body.get("role") == "tool" or body.get("type") in {
            "tool_result",
            "function_call_output",
        }:
            yield _text(body.get("content", body.get("output")))
        else:
            yield from _observations(list(body.values()))


def _text(content: Any) -> str:
    """A content that is a text, or parts with texts."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _bodies(folder: Path, turns: list[Turn], prompt: str, **fields: object) -> list[Any]:
    """The requests of an agent whose model answers so."""
    folder.mkdir()
    stub = ProviderStub(answers=[*turns, Turn(commands=(DONE,))])
    mini_agent.run(mini_agent.access(stub, **fields), folder, prompts=(prompt,))
    stub.http.stop()
    return stub.bodies


def _counted(folder: Path, texts: Sequence[str]) -> list[int]:
    found = run(project(folder / "node"), "tokens.mjs", json.dumps(texts))
    return msgspec.json.decode(found, type=list[int])


def test_our_words_before_the_task_are_at_most_600_tokens(tmp_path: Path) -> None:
    instructions = (Instruction(path="AGENTS.md", text=""),)
    prompt = first_prompt(with_(task="", instructions=instructions, wants_title=True))
    body = _bodies(tmp_path / "agent", [], prompt)[0]
    words = "".join(_text(message["content"]) for message in body["messages"])
    assert prompt in words
    assert sum(_counted(tmp_path, [words, json.dumps(body["tools"])])) <= LARGEST_SCAFFOLD


def test_an_observation_costs_what_its_text_costs_in_any_language(tmp_path: Path) -> None:
    files = {tmp_path / name: text * LINES for name, text in OBSERVED.items()}
    for file, text in files.items():
        file.write_text(text)
    failing = next(iter(files))
    raw = [*files.values(), files[failing]]
    commands = (*(f"cat {file}" for file in files), f"cat {failing}; exit 1")
    sent = [
        list(_observations(_bodies(tmp_path / name, [Turn(commands=commands)], "Go.", **fields)[1]))
        for name, fields in PROTOCOLS.items()
    ]
    assert all(each == sent[0] for each in sent), "every protocol sends the same"
    counts = _counted(tmp_path, [*sent[0], *raw])
    pairs = zip(counts[: len(raw)], counts[len(raw) :], strict=True)
    ratios = dict(zip([*OBSERVED, "a failure"], (told / seen for told, seen in pairs), strict=True))
    assert max(ratios.values()) <= LARGEST_RATIO, ratios
