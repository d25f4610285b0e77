"""No change that somebody can ask for is missing in the audit log."""

import inspect
import re
from typing import Final

import pytest

from gateway.domain import decide
from gateway.domain.deliveries import commands as endpoint_commands
from gateway.domain.kernel import commands
from gateway.domain.operations.alert_changes import ChangeAlerts
from gateway.domain.operations.audit_log import AuditLog
from gateway.domain.operations.bulk import AdvanceBulk
from gateway.domain.operations.key_commands import NoteKeyUses
from gateway.domain.sources import message

NOT_AUDITED: Final = {
    commands.OpenWorkspace: "the rules of tasks that it calls do it",
    commands.AnswerWorkspace: "it moves a clock",
    commands.ReportAgentEvent: "the event is the record",
    commands.RescuePatch: "as above",
    message.SandboxNotice: "as above",
    message.PullRequestNotice: "as above",
    message.FollowUpNotice: "the rule of tasks that it calls does it",
    commands.Claim: "a launcher's work, which events record",
    commands.RenewLease: "as above",
    commands.TrySandbox: "as above",
    commands.ReportCreated: "as above",
    commands.FinishJob: "as above",
    commands.FailJob: "as above",
    commands.DelegateJob: "as above",
    commands.ReportEnded: "as above",
    commands.SweepNow: "it only moves the next sweep",
    commands.TaskDue: "a clock, whose effects are events",
    commands.JobDue: "as above",
    commands.RealmDue: "as above",
    commands.SettleDelivery: "each attempt is a record; the rule that disables endpoints does it",
    ChangeAlerts: "the gateway's own look at what is wrong, which events record",
    commands.Pulse: "nobody asks for it",
    commands.Prune: "as above",
    endpoint_commands.PostEvent: "the event is the record",
    endpoint_commands.PostEvents: "the events are the record",
    endpoint_commands.AdvanceReplay: "a step of what is audited at its start",
    AdvanceBulk: "the rules of tasks that it calls do it",
    NoteKeyUses: "no change that anybody asks for",
}
"""Commands whose own rule emits no entry, and why."""


@pytest.mark.parametrize("command", decide.RULES, ids=lambda command: command.__name__)
def test_the_rule_of_a_command_emits_an_entry_or_there_is_a_reason(command: type) -> None:
    emits = re.search(r"audit(\.emit)?\(", inspect.getsource(decide.RULES[command])) is not None
    assert emits == (command not in NOT_AUDITED), "emit an entry, or say in NOT_AUDITED why not"


def test_details_have_the_names_of_the_api_and_none_that_is_empty() -> None:
    log = AuditLog()
    log.begin("cli", 1)
    log.emit("key.created", "key_1", None, expires_at=None, rate_limit=5, fields=("a", "b"))
    (entry,) = log
    assert entry.detail == {"rateLimit": 5, "fields": ("a", "b")}
