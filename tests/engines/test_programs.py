"""The named engines, with programs that print what the real ones printed."""

import json
from pathlib import Path
from typing import Final

import msgspec
import pytest

from snapshot.runner.agent.prices import Prices
from snapshot.runner.agent.programs.allowance import REQUESTS_PER_TURN, Allowance
from snapshot.runner.agent.programs.claude_code import ClaudeCode
from snapshot.runner.agent.programs.lines import LONGEST_BYTES, Lines
from snapshot.runner.agent.programs.opencode import COMPATIBLE, Opencode
from snapshot.runner.agent.programs.upstream import Access
from snapshot.runner.agent.usage import Tokens
from snapshot.runner.configuration import AgentChoice, ModelAccess, ModelApi
from snapshot.runner.failure import Failure
from snapshot.runner.variables import Secret
from tests.engines.workplace import KEY, PROGRAMS, RECORDED, Workplace
from tests.snapshot.http_stub import HttpStub, Request, Response

ENGINES: Final = tuple(PROGRAMS)
ROLLOUT: Final = f"""
folder="$CODEX_HOME/sessions/2026/11/30"
mkdir -p "$folder"
thread=$(sed -n 's/.*"thread_id":"\\([^"]*\\)".*/\\1/p' '{RECORDED / "codex.jsonl"}')
cp '{RECORDED / "codex.rollout.jsonl"}' "$folder/rollout-2026-$thread.jsonl"
"""
every_engine = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture
def place(tmp_path: Path, engine: str) -> Workplace:
    """A workplace for an engine."""
    return Workplace(tmp_path, engine)


def succeeds(place: Workplace, then: str = "") -> None:
    """Let the program do as the real one did when all went well."""
    if place.engine == "codex":
        place.program(f"{ROLLOUT}\ncat '{RECORDED / 'codex.jsonl'}'\n{then}")
    else:
        place.prints(place.engine, then=then)


@every_engine
def test_a_run_is_read_for_summary_usage_turns_and_log(place: Workplace) -> None:
    succeeds(place)
    result = place.work()
    assert (result.failure, result.summary) == (None, "All done: fixed it.")
    total = place.usage[-1]
    assert (total.input_tokens, total.output_tokens, total.turns) == (3000, 150, 3)
    assert total.cost_usd > 0
    assert place.turns[0] == 1
    assert place.turns == sorted(set(place.turns))
    assert "\nLooking around.\n" in place.log
    assert "echo one > a.txt" in place.log
    assert "one\n" in place.log
    assert '"type"' not in place.log


@every_engine
def test_prompt_model_and_effort_but_no_key_reach_the_program_each_in_its_place(
    place: Workplace,
) -> None:
    succeeds(place)
    place.work()
    assert (place.home / "prompts").read_text() == "Mend it\n--help"
    assert "--help" not in place.arguments
    assert any(argument.endswith(("gpt-5", "claude-sonnet-4-5")) for argument in place.arguments)
    assert any("low" in argument for argument in place.arguments)
    assert not any(KEY in argument for argument in place.arguments)
    assert KEY not in (place.home / "environ").read_text()


@every_engine
def test_a_second_run_goes_on_with_the_session_of_the_first(place: Workplace) -> None:
    succeeds(place)
    engine = place.made()
    first = engine.work("Mend it", place.root / "checkout")
    between = len(place.arguments)
    second = engine.work("The tests fail", place.root / "checkout")
    assert first.failure is second.failure is None
    again = place.arguments[between:]
    recorded = (RECORDED / f"{place.engine}.jsonl").read_text()
    given = {argument.rpartition("=")[2] for argument in again if len(argument) > 20}
    assert any(argument in recorded for argument in given)
    assert (place.home / "prompts").read_text() == "Mend itThe tests fail"


@every_engine
def test_the_session_is_kept_beside_the_trajectory(place: Workplace) -> None:
    succeeds(place)
    place.work()
    name = "codex.rollout" if place.engine == "codex" else place.engine
    assert place.session == (RECORDED / f"{name}.jsonl").read_text()


@every_engine
def test_the_session_is_also_the_trajectory_of_the_task(place: Workplace) -> None:
    succeeds(place)
    place.work()
    document = json.loads((place.root / "state" / "trajectory.json").read_text())
    assert len(document["events"]) == len(place.session.splitlines())
    assert document["omitted"] == 0


@every_engine
def test_a_program_past_its_turns_is_ended_and_its_work_stays(place: Workplace) -> None:
    succeeds(place, then="touch work; sleep 600")
    result = place.work(max_turns=2)
    assert result.failure is not None
    assert result.failure.code == "max_turns"


@every_engine
def test_a_program_past_its_cost_is_ended(place: Workplace) -> None:
    succeeds(place, then="sleep 600")
    result = place.work(max_cost_usd=0.0001)
    assert result.failure is not None
    assert result.failure.code == "max_cost"


@every_engine
def test_a_program_past_its_time_is_ended(place: Workplace) -> None:
    place.seconds = 2
    place.program("touch work; sleep 600")
    result = place.work()
    assert result.failure is not None
    assert result.failure.code == "agent_time_over"
    assert (place.root / "checkout" / "work").exists()


@every_engine
def test_a_program_that_is_not_there_is_named_with_the_way_to_get_it(place: Workplace) -> None:
    failure = place.work().failure
    assert failure is not None
    assert failure.code == "agent_not_found"
    assert "npm install -g" in failure.message


@every_engine
def test_a_program_that_breaks_says_why(place: Workplace) -> None:
    place.program("echo 'unknown option --effort' >&2; exit 2")
    failure = place.work().failure
    assert failure is not None
    assert (failure.code, failure.retryable) == ("agent_failed", False)
    assert "exit code 2: unknown option --effort" in failure.message


ERRORS: Final = {
    "claude-code.billing": "model_quota",
    "claude-code.model_not_found": "model_not_found",
    "claude-code.too_long": "model_context_exceeded",
    "codex.auth": "model_auth",
    "codex.model_not_found": "model_not_found",
    "codex.quota": "model_quota",
    "opencode.auth": "model_auth",
    "opencode.too_long": "model_context_exceeded",
}


@pytest.mark.parametrize(("name", "code"), ERRORS.items(), ids=ERRORS.keys())
def test_an_error_of_the_provider_has_its_code(tmp_path: Path, name: str, code: str) -> None:
    place = Workplace(tmp_path, name.partition(".")[0])
    place.prints(name, then="exit 1")
    failure = place.work().failure
    assert failure is not None
    assert failure.code == code
    assert failure.message


RETRY: Final = (
    '{"type":"system","subtype":"api_retry","attempt":ATTEMPT,"max_retries":10,'
    '"retry_delay_ms":557,"error_status":401,"error":"authentication_failed"}'
)


def test_a_key_that_is_refused_again_and_again_ends_claude_code(tmp_path: Path) -> None:
    place = Workplace(tmp_path, "claude-code")
    lines = "".join(f"echo '{RETRY.replace('ATTEMPT', str(n))}'\n" for n in (1, 2, 3))
    place.program(f"{lines}sleep 600")
    failure = place.work().failure
    assert failure is not None
    assert failure.code == "model_auth"


ASK: Final = """
python3 - <<'END'
import os, urllib.request
url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
headers = {"authorization": "Bearer " + os.environ["ANTHROPIC_API_KEY"]}
for _ in range(REQUESTS):
    urllib.request.urlopen(urllib.request.Request(url, b"{}", headers))
END
"""


def test_past_so_many_requests_its_model_is_closed_to_a_program_and_the_limit_is_named(
    tmp_path: Path,
) -> None:
    keys: list[str] = []

    def answer(request: Request) -> Response:
        keys.append(request.headers["x-api-key"])
        return Response(content={})

    provider = HttpStub(answer)
    place = Workplace(tmp_path, "claude-code", base_url=provider.url)
    place.program(ASK.replace("REQUESTS", str(REQUESTS_PER_TURN + 1)))
    failure = place.work(max_turns=1).failure
    provider.stop()
    assert failure is not None
    assert failure.code == "max_turns"
    assert keys == REQUESTS_PER_TURN * [KEY]


def test_past_its_money_or_its_time_nobody_asks_the_model(tmp_path: Path) -> None:
    place = Workplace(tmp_path, "claude-code")
    context = place.context
    allowance = Allowance(AgentChoice(max_cost_usd=1.0), context)
    allowance.take()
    context.meter.count(Tokens(input=1, output=1, cost_usd=1.0))
    with pytest.raises(Failure) as raised:
        allowance.take()
    assert raised.value.code == "max_cost"
    place.seconds = 0
    with pytest.raises(Failure) as raised:
        Allowance(AgentChoice(), place.context).take()
    assert raised.value.code == "agent_time_over"


HOSTILE: Final = (
    "{not json}",
    '{"type":' + "[" * 100_000,
    '{"type":"result","result":{"a":1},"modelUsage":7,"is_error":"yes"}',
    '{"type":"step_finish","part":{"cost":1e308,"tokens":{"input":1e30}}}',
    '{"type":"result","modelUsage":{"m":{"inputTokens":-5}},"total_cost_usd":-1}',
    '{"type":"thread.started","thread_id":"--help"}',
    '{"type":"system","subtype":"init","session_id":"../../x"}',
    '{"type":"step_start","sessionID":"--help","part":{}}',
)


@every_engine
def test_lines_that_no_program_prints_harm_nothing(place: Workplace) -> None:
    (place.root / "lines").write_bytes(b"{\xff\xfe}\n" + "\n".join(HOSTILE).encode())
    place.program(f"cat '{place.root / 'lines'}'")
    engine = place.made()
    for _ in range(2):
        assert engine.work("Mend it", place.root / "checkout").failure is None
    assert not place.usage or place.usage[-1].input_tokens >= 0
    assert not [text for text in place.arguments if "--help" in text or "../x" in text]


def access(provider: str, base_url: str | None) -> ModelAccess:
    """A model of a provider."""
    return ModelAccess(provider=provider, name="m", key=Secret(KEY), base_url=base_url)


def speaking(api: ModelApi, base_url: str | None) -> ModelAccess:
    """A model behind OpenAI's protocol, of which the operator has chosen a part."""
    return msgspec.structs.replace(access("openai", base_url), api=api)


OPENAI: Final = "https://api.openai.com/v1"
ANTHROPIC: Final = "https://api.anthropic.com"
GOOGLE: Final = "https://generativelanguage.googleapis.com/v1beta"
OPENROUTER: Final = "https://openrouter.ai/api"
OTHER: Final = "https://other.test/base"


ACCESS: Final = Access(url="http://relay.test", token="token-of-the-run")


@pytest.mark.parametrize(
    ("model", "upstream", "header"),
    [
        (access("anthropic", None), ANTHROPIC, "x-api-key"),
        (access("anthropic", "https://a.test"), "https://a.test", "x-api-key"),
        (access("openrouter", None), OPENROUTER, "authorization"),
        (access("openrouter", "https://r.test/api/v1"), "https://r.test/api", "authorization"),
    ],
    ids=["Anthropic", "an address of one's own", "OpenRouter", "a mirror of OpenRouter"],
)
def test_claude_code_gets_a_token_and_the_address_of_a_relay_to_its_provider(
    tmp_path: Path, model: ModelAccess, upstream: str, header: str
) -> None:
    program = ClaudeCode(AgentChoice(), model, Prices(model))
    environ = program.environ(ACCESS, tmp_path)
    given = {name: text for name, text in environ.items() if name.startswith("ANTHROPIC_")}
    assert given == {"ANTHROPIC_API_KEY": ACCESS.token, "ANTHROPIC_BASE_URL": ACCESS.url}
    assert (program.upstream.url, program.upstream.header) == (upstream, header)


@pytest.mark.parametrize(
    ("model", "name", "upstream", "package"),
    [
        (access("openai", None), "openai", (OPENAI, "authorization"), None),
        (access("openai", OTHER), "slipgate", (OTHER, "authorization"), COMPATIBLE),
        (speaking("chat", None), "slipgate", (OPENAI, "authorization"), COMPATIBLE),
        (speaking("responses", OTHER), "openai", (OTHER, "authorization"), None),
        (access("anthropic", None), "anthropic", (f"{ANTHROPIC}/v1", "x-api-key"), None),
        (access("anthropic", OTHER), "anthropic", (f"{OTHER}/v1", "x-api-key"), None),
        (access("google", None), "google", (GOOGLE, "x-goog-api-key"), None),
        (access("google", OTHER), "slipgate", (OTHER, "authorization"), COMPATIBLE),
        (access("openrouter", None), "openrouter", (f"{OPENROUTER}/v1", "authorization"), None),
        (access("openrouter", OTHER), "openrouter", (OTHER, "authorization"), None),
    ],
    ids=[
        *("OpenAI", "a server like OpenAI's", "OpenAI's chat completions"),
        *("another server's Responses", "Anthropic", "Anthropic's protocol"),
        *("Google", "a server like Google's", "OpenRouter", "a mirror of OpenRouter"),
    ],
)
def test_opencode_knows_the_provider_of_the_task_alone(
    tmp_path: Path, model: ModelAccess, name: str, upstream: tuple[str, str], package: str | None
) -> None:
    program = Opencode(AgentChoice(), model, Prices(model))
    environ = program.environ(ACCESS, tmp_path)
    config = json.loads(environ["OPENCODE_CONFIG_CONTENT"])
    assert config["enabled_providers"] == list(config["provider"]) == [name]
    provider = config["provider"][name]
    assert (provider["options"]["baseURL"], provider.get("npm")) == (ACCESS.url, package)
    assert (program.upstream.url, program.upstream.header) == upstream
    assert f"--model={name}/m" in program.argv(ACCESS, None)
    assert KEY not in json.dumps(config)
    its_own_list = environ.get("OPENCODE_MODELS_PATH")
    assert (its_own_list is None) == (name != "slipgate")
    assert its_own_list is None or Path(its_own_list).read_text() == "{}"


def test_lines_come_whole_out_of_pieces_and_endless_ones_are_skipped() -> None:
    lines = Lines()
    assert list(lines.feed(b'{"a"')) == []
    assert list(lines.feed(b":1}\n\n{")) == [b'{"a":1}', b""]
    assert lines.rest() == b"{"
    assert list(lines.feed(b"x" * (LONGEST_BYTES + 1))) == []
    assert list(lines.feed(b"y\nnext\n")) == [b"next"]
