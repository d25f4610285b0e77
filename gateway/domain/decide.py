"""The table of rules: one pure function for each type of command."""

from collections.abc import Callable
from typing import Any, Final

from gateway.domain.agents.agent_events import handle_agent_event, rescue
from gateway.domain.deliveries import (
    catalogue,
    endpoint_changes,
    event_type,
    portal,
    portal_links,
    replay_steps,
)
from gateway.domain.deliveries import commands as endpoint_commands
from gateway.domain.deliveries.posting import post, post_all
from gateway.domain.deliveries.settle import settle
from gateway.domain.kernel import commands
from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.read_set import Command
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.claim import claim
from gateway.domain.launching.launcher_mode import SetLauncherMode, set_launcher_mode
from gateway.domain.launching.realm_silence import realm_due
from gateway.domain.launching.reports import (
    created,
    delegate,
    failed,
    finished,
    processes_ended,
    renew,
    trying,
)
from gateway.domain.launching.sweep_findings import sweep_now
from gateway.domain.operations import bulk, bulk_steps, key_changes, key_commands
from gateway.domain.operations.alert_changes import ChangeAlerts, change_alerts
from gateway.domain.operations.switch_changes import SetSwitches, set_switches
from gateway.domain.sources import message
from gateway.domain.sources.follow_up import follow_up
from gateway.domain.sources.receive import pull_request_closed, sandbox_changed
from gateway.domain.sources.workspace_request import answer_workspace, open_workspace
from gateway.domain.tasks.due_clocks import lease_due, pulse, task_due
from gateway.domain.tasks.purge import purge
from gateway.domain.tasks.requests import (
    cancel,
    create,
    destroy_sandboxes,
    release_sandbox,
    retry,
)
from gateway.domain.tasks.retention import prune

RULES: Final[dict[type, Callable[[UnitOfWork, Any, int], Answer]]] = {
    commands.CreateTask: create,
    commands.OpenWorkspace: open_workspace,
    commands.AnswerWorkspace: answer_workspace,
    commands.CancelTask: cancel,
    commands.RetryTask: retry,
    commands.ReleaseSandbox: release_sandbox,
    commands.DestroySandboxes: destroy_sandboxes,
    commands.PurgeTask: purge,
    commands.ReportAgentEvent: handle_agent_event,
    message.SandboxNotice: sandbox_changed,
    message.FollowUpNotice: follow_up,
    message.PullRequestNotice: pull_request_closed,
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
    commands.SweepNow: sweep_now,
    bulk.StartBulk: bulk_steps.start,
    bulk.AdvanceBulk: bulk_steps.advance,
    bulk.AbortBulk: bulk_steps.abort,
    ChangeAlerts: change_alerts,
    SetLauncherMode: set_launcher_mode,
    SetSwitches: set_switches,
    endpoint_commands.PostEvent: post,
    endpoint_commands.PostEvents: post_all,
    portal.NotePortalLink: portal_links.note,
    portal.ExpirePortalLinks: portal_links.expire,
    event_type.PutEventType: catalogue.put,
    event_type.DeleteEventType: catalogue.delete,
    endpoint_commands.CreateEndpoint: endpoint_changes.create,
    endpoint_commands.UpdateEndpoint: endpoint_changes.update,
    endpoint_commands.DeleteEndpoint: endpoint_changes.delete,
    endpoint_commands.EnableEndpoint: endpoint_changes.enable,
    endpoint_commands.DisableEndpoint: endpoint_changes.disable,
    endpoint_commands.RotateSecret: endpoint_changes.rotate,
    endpoint_commands.StartReplay: replay_steps.start,
    endpoint_commands.AdvanceReplay: replay_steps.advance,
    endpoint_commands.RetryDelivery: replay_steps.retry,
    key_commands.CreateKey: key_changes.create,
    key_commands.RevokeKey: key_changes.revoke,
    key_commands.NoteKeyUses: key_changes.note_uses,
}


def decide(unit: UnitOfWork, command: Command, now: int) -> Answer:
    """Applies the command to the unit of work and answers; `now` in milliseconds.

    Raises:
        ApiError: the command is refused. The unit of work may still have changed: a late event of
            an agent is stored although it is refused.
    """
    unit.audit.begin(command.actor, now, command.stated_reason)
    return RULES[type(command)](unit, command, now)
