"""`decide`: the table of `lifecycle.md` as a pure function over values."""

from collections.abc import Callable
from typing import Any, Final

from gateway.domain import commands, endpoint_commands, source
from gateway.domain.answers import Answer
from gateway.domain.commands import Command
from gateway.domain.decide import endpoint, replay
from gateway.domain.decide.agent import hear
from gateway.domain.decide.claim import claim
from gateway.domain.decide.delivery import settle
from gateway.domain.decide.due import lease_due, task_due
from gateway.domain.decide.outage import pulse
from gateway.domain.decide.realm import realm_due
from gateway.domain.decide.report import (
    created,
    delegate,
    failed,
    finished,
    renew,
    trying,
)
from gateway.domain.decide.request import cancel, create, release_sandbox, retry
from gateway.domain.decide.rescue import processes_ended, rescue
from gateway.domain.decide.retention import prune
from gateway.domain.decide.source import pull_request_closed, sandbox_changed
from gateway.domain.decide.sweep import sweep_now
from gateway.domain.decide.workspace import answer_workspace, open_workspace
from gateway.domain.sweep import SweepNow
from gateway.domain.view import View

_RULES: Final[dict[type, Callable[[View, Any, int], Answer]]] = {
    commands.CreateTask: create,
    commands.OpenWorkspace: open_workspace,
    commands.AnswerWorkspace: answer_workspace,
    commands.CancelTask: cancel,
    commands.RetryTask: retry,
    commands.ReleaseSandbox: release_sandbox,
    commands.AgentWord: hear,
    source.SandboxNotice: sandbox_changed,
    source.PullRequestNotice: pull_request_closed,
    commands.Claim: claim,
    commands.RenewLease: renew,
    commands.TrySandbox: trying,
    commands.ReportCreated: created,
    commands.FinishJob: finished,
    commands.FailJob: failed,
    commands.DelegateJob: delegate,
    commands.RescuePatch: rescue,
    commands.ReportEnded: processes_ended,
    commands.TaskDue: task_due,
    commands.JobDue: lease_due,
    commands.RealmDue: realm_due,
    commands.SettleDelivery: settle,
    commands.Pulse: pulse,
    commands.Prune: prune,
    SweepNow: sweep_now,
    endpoint_commands.CreateEndpoint: endpoint.create,
    endpoint_commands.UpdateEndpoint: endpoint.update,
    endpoint_commands.DeleteEndpoint: endpoint.delete,
    endpoint_commands.EnableEndpoint: endpoint.enable,
    endpoint_commands.DisableEndpoint: endpoint.disable,
    endpoint_commands.RotateSecret: endpoint.rotate,
    endpoint_commands.StartReplay: replay.start,
    endpoint_commands.AdvanceReplay: replay.advance,
    endpoint_commands.RetryDelivery: replay.retry,
}


def decide(view: View, command: Command, now: int) -> Answer:
    """Applies the command to the view and answers; `now` in milliseconds.

    Raises:
        Refused: the command cannot be granted. What must be remembered of a refused one (a late
            word of an agent) is in the view all the same.
    """
    return _RULES[type(command)](view, command, now)
