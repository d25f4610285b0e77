"""The words of an agent, signed and flat."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.tasks.event import FACTS
from gateway.wire import agent, agent_body, flat_events
from gateway.wire.decode import WrongShape

TERMINAL = sorted(agent.TERMINAL_EVENTS)
ERROR = {"stage": "agent", "code": "no_changes", "message": "Nothing changed", "retryable": False}


def body(name: str, **data: object) -> bytes:
    data = {"taskId": "task_1", "attempt": 2, **data}
    return msgspec.json.encode(
        {"type": name, "timestamp": "2026-09-21T14:13:20.123Z", "data": data}
    )


def stored(word: agent.AgentEvent) -> dict[str, object]:
    return msgspec.json.decode(word.data, type=dict[str, object])


def refusal(raw: bytes) -> WrongShape:
    with pytest.raises(WrongShape) as caught:
        agent_body.decode(raw)
    return caught.value


def test_the_addressee_is_read_whatever_else_is_wrong() -> None:
    raw = body("task.nonsense", anything=[{}])
    assert agent_body.read_target(raw) == ("task_1", 2)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "invalid_json"),
        (b'{"data":{"taskId":"t","attempt":1,"x":"\xff"}}', "invalid_json"),
        (b'{"data":{"taskId":"t","attempt":1,"x":' + b"[" * 99_999, "invalid_json"),
        (b"{}", "invalid_request"),
        (b"[]", "invalid_request"),
        (b'{"data":{"taskId":"t"}}', "invalid_request"),
        (b'{"data":{"taskId":"t","attempt":"1"}}', "invalid_request"),
        (b'{"data":{"taskId":"t","attempt":0}}', "invalid_request"),
        (b'{"data":{"taskId":"","attempt":1}}', "invalid_request"),
    ],
)
def test_a_body_for_nobody_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(WrongShape) as caught:
        agent_body.read_target(raw)
    assert caught.value.code == code


def test_unknown_fields_of_the_data_are_kept() -> None:
    word = agent_body.decode(body("task.heartbeat", load=0.5))
    assert stored(word) == {"taskId": "task_1", "attempt": 2, "load": 0.5}


def test_so_many_unknown_fields_are_kept_and_no_more() -> None:
    assert stored(agent_body.decode(body("task.heartbeat", more="x" * 65_000)))["more"]
    refused = refusal(body("task.heartbeat", more="x" * 33_000, most="x" * 33_000))
    assert [error.path for error in refused.errors] == ["$.data.more", "$.data.most"]


def test_a_terminal_word_loses_unknown_fields_that_are_too_long() -> None:
    word = agent_body.decode(body("task.completed", summary="ok", more="x" * 70_000))
    assert stored(word) == {"taskId": "task_1", "attempt": 2, "summary": "ok"}
    assert word.warnings == ("$.data.more was dropped: too long",)


def test_a_known_field_that_is_long_takes_nothing_from_the_others() -> None:
    word = agent_body.decode(body("task.completed", patch="+x\n" * 100_000, more="x" * 60_000))
    assert stored(word)["more"]
    assert word.warnings == ()


def test_an_unknown_type_has_a_code_of_its_own() -> None:
    assert refusal(body("task.exploded")).code == "unknown_event_type"


@pytest.mark.parametrize(
    ("name", "data", "paths"),
    [
        ("task.progress", {"stage": "x" * 41, "message": 1}, ["$.data.stage", "$.data.message"]),
        ("task.usage", {"inputTokens": -1, "outputTokens": 1, "costUsd": 0, "turns": 1}, None),
        ("task.log", {"offset": 0, "chunk": "ü" * 40_000}, ["$.data"]),
        ("task.failed", {}, ["$.data.error"]),
        ("task.completed", {"error": "x"}, ["$.data.error"]),
        ("task.pr_created", {}, ["$.data.prUrl"]),
    ],
)
def test_a_wrong_word_names_its_paths(
    name: str, data: dict[str, object], paths: list[str] | None
) -> None:
    wrong = refusal(body(name, **data))
    assert wrong.code == "invalid_request"
    assert [error.path for error in wrong.errors] == (paths or ["$.data.inputTokens"])


@pytest.mark.parametrize("name", TERMINAL)
def test_a_terminal_word_loses_what_is_too_long_and_says_so(name: str) -> None:
    word = agent_body.decode(body(name, patch="x" * 600_000, branchName="b", error=ERROR))
    assert "patch" not in stored(word)
    assert stored(word)["branchName"] == "b"
    assert word.warnings == ("$.data.patch was dropped: too long",)


def test_a_receipt_loses_its_output_but_not_its_verdict() -> None:
    receipt = {"command": "make test", "exitCode": 0, "seconds": 1.5, "outputTail": "x" * 9_000}
    word = agent_body.decode(body("task.completed", validation=[receipt], summary="y" * 9_000))
    assert stored(word)["validation"] == [{"command": "make test", "exitCode": 0, "seconds": 1.5}]
    assert len(word.warnings) == 2


def test_a_terminal_word_of_the_wrong_type_is_still_refused() -> None:
    assert refusal(body("task.completed", patch=7)).code == "invalid_request"


def test_other_words_lose_nothing() -> None:
    assert refusal(body("task.progress", stage="agent", message="x" * 2_001)).errors


@pytest.mark.parametrize("name", list(agent.EVENTS))
def test_whatever_the_fold_reads_of_a_word_was_checked(name: str) -> None:
    fields = msgspec.structs.fields(FACTS[name])
    # What stays raw may hold anything: nobody has read it.
    read = {field.encode_name for field in fields if "Raw" not in str(field.type)}
    seen = {field.encode_name for field in msgspec.structs.fields(agent.EVENTS[name])}
    assert read <= seen


@given(
    st.sampled_from(list(agent.EVENTS)),
    st.dictionaries(
        st.sampled_from(["prUrl", "error", "summary", "stage", "message", "offset", "snapshot"]),
        st.none() | st.integers() | st.text() | st.just(ERROR) | st.lists(st.text()),
    ),
)
def test_a_word_that_is_taken_can_always_be_folded(name: str, data: dict[str, object]) -> None:
    try:
        word = agent_body.decode(body(name, **data))
    except WrongShape:
        return
    msgspec.json.decode(word.data, type=FACTS[name])


def flat_word(**fields: object) -> tuple[str, dict[str, object]]:
    word = flat_events.decode(msgspec.json.encode(fields))
    msgspec.json.decode(word.data, type=FACTS[word.type])
    return word.type, stored(word)


def test_flat_progress_is_progress_without_what_is_empty() -> None:
    kind, data = flat_word(
        type="task.progress", taskId="theirs", prUrl="", status="running", error="", message="Clone"
    )
    assert (kind, data) == ("task.progress", {"status": "running", "message": "Clone"})


def test_a_flat_error_line_is_progress_too() -> None:
    assert flat_word(type="task.progress", error="oops", message="")[1]["message"] == "oops"


def test_a_flat_success_completes_the_task() -> None:
    kind, data = flat_word(
        type="task.completed", status="success", prUrl="https://x/1", message="k"
    )
    assert (kind, data["prUrl"], data["summary"]) == ("task.completed", "https://x/1", "k")


def test_a_flat_completion_with_another_status_is_a_failure() -> None:
    assert flat_word(type="task.completed", status="error", message="tests red")[0] == "task.failed"


def test_a_flat_pull_request_is_not_an_end() -> None:
    kind, data = flat_word(type="pr.created", prUrl="https://x/1", branchName="b")
    assert (kind, data["prUrl"]) == ("task.pr_created", "https://x/1")


@pytest.mark.parametrize(
    "text",
    [
        "Patch failed",
        "could not APPLY",
        "merge conflict",
        "no context",
        "malformed diff",
        "file does not exist",
    ],
)
def test_a_flat_failure_that_speaks_of_the_patch_needs_review(text: str) -> None:
    kind, data = flat_word(type="task.failed", status="failed", error="x", message=text)
    assert (kind, data["summary"]) == ("task.needs_review", f"x: {text}")


def test_any_other_flat_failure_is_one() -> None:
    kind, data = flat_word(type="task.failed", error="rate_limited", message="m" * 9_000)
    assert kind == "task.failed"
    assert isinstance(data["error"], dict)
    assert (data["error"]["code"], len(data["error"]["message"])) == ("rate_limited", 8_000)


def test_what_a_script_says_last_is_kept_when_its_text_is_cut() -> None:
    _, data = flat_word(type="task.failed", error="boom", message=f"{'m' * 20_000}the cause")
    assert isinstance(data["error"], dict)
    assert data["error"]["message"].startswith("boom: mmm")
    assert data["error"]["message"].endswith("the cause")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("workspace.created", "task.progress"),
        ("workspace.status", "task.progress"),
        ("workspace.failed", "task.failed"),
    ],
)
def test_flat_words_about_the_workspace_are_understood(name: str, kind: str) -> None:
    assert flat_word(type=name, status="creating", source="github-actions")[0] == kind


def test_every_type_of_ours_may_come_flat() -> None:
    assert flat_word(type="task.heartbeat", taskId="x", attempt=9) == ("task.heartbeat", {})
    assert flat_word(type="task.failed", error=ERROR)[1] == {"error": ERROR}
    usage = {"inputTokens": 1, "outputTokens": 2, "costUsd": 0.5, "turns": 1}
    assert flat_word(type="task.usage", **usage) == ("task.usage", usage)


def test_a_flat_id_is_kept_for_the_dedupe() -> None:
    assert flat_events.decode(b'{"type":"task.heartbeat","id":"a-1"}').id == "a-1"
    assert flat_events.decode(b'{"type":"task.heartbeat","id":""}').id is None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "invalid_json"),
        (b"[]", "invalid_request"),
        (b"{}", "invalid_request"),
        (b'{"type":"pr.created"}', "invalid_request"),
        (b'{"type":"nonsense"}', "unknown_event_type"),
        (b'{"type":"task.heartbeat","x":"\xff"}', "invalid_json"),
        (b'{"type":"task.heartbeat","x":1e999}', "invalid_request"),
    ],
)
def test_a_broken_flat_payload_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(WrongShape) as caught:
        flat_events.decode(raw)
    assert caught.value.code == code
