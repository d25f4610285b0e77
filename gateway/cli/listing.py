"""The list of all commands, in the groups of the help."""

from typing import Final, NamedTuple


class Listed(NamedTuple):
    """A command, or a group of commands, that is imported only when it is typed."""

    name: str
    module: str
    help: str
    """One line of at most 62 characters, so that 80 columns show it whole."""
    is_group: bool = False
    is_calling: bool = False
    """True if it calls a gateway: it has the options that choose one."""

    @property
    def attribute(self) -> str:
        return self.name.replace("-", "_")


def _here(name: str, module: str, text: str) -> Listed:
    return Listed(name, f"gateway.cli.{module}", text)


def _calling(name: str, module: str, text: str) -> Listed:
    return Listed(name, f"gateway.cli.{module}", text, is_calling=True)


def _group(name: str, module: str, text: str) -> Listed:
    return Listed(name, f"gateway.cli.{module}", text, is_group=True, is_calling=True)


GROUPS: Final = {
    "Start": (
        _here("init", "init.command", "Set it all up here: settings, keys, checks, a first task."),
        _here("up", "local.up", "Run a gateway and a launcher; Ctrl-C stops them in order."),
        _calling("dev", "local.dev", "Run it all for an app under development; forward events."),
        _here("demo", "local.demo", "Run one task end to end on this machine, with a kill inside."),
        _calling("login", "http.login", "Keep the address and key of a gateway as a profile."),
        _here("logout", "http.login", "Forget a profile."),
        _here("gateway", "programs", "Run the gateway; its settings are SLIPGATE_* variables."),
        _here("launcher", "programs", "Run a launcher against SLIPGATE_URL with SLIPGATE_API_KEY."),
        _here("doctor", "programs", "Check the launcher's environment; --live makes a sandbox."),
        Listed(
            "snapshot",
            "gateway.cli.programs",
            "Build, push and check the snapshot of Daytona's sandboxes.",
            is_group=True,
        ),
        _here("completion", "console.completion", "Print the completion script of a shell."),
        _here("help", "command_line", "Show the help of a command."),
        _here("version", "command_line", "Print the version."),
    ),
    "Tasks": (
        _group("tasks", "tasks.commands", "Create, watch and steer tasks."),
        _calling("top", "tasks.lists", "Watch the tasks that are not at their end."),
        _group("bulk", "operations.bulk", "Cancel, retry or destroy all tasks that match."),
        _group("bundle", "bundle.commands", "Replay run bundles."),
    ),
    "Webhooks": (
        _group(
            "endpoints",
            "deliveries.endpoints",
            "Create, change and test the endpoints that receive events.",
        ),
        _group("deliveries", "deliveries.deliveries", "List deliveries and send them again."),
        _group(
            "events",
            "deliveries.own_events",
            "Send your own events, describe their types, let customers in.",
        ),
        _calling("trigger", "webhook.trigger", "Send your app a sample webhook of any type."),
        _group("webhook", "webhook.commands", "Sign, verify, receive and forward webhooks."),
    ),
    "Operate": (
        _calling("status", "operations.status", "Show what is wrong, since when, and what to do."),
        _group("switches", "operations.switches", "Pause intake, launching or delivering."),
        _group("launchers", "operations.launchers", "List, drain, resume and revoke launchers."),
        _calling("audit", "operations.audit", "List changes with their actors, newest first."),
        _calling("reconcile", "operations.launchers", "Show what the reconciler would do now."),
        _calling("sweep", "operations.sweep", "Remove orphan sandboxes: those that no task wants."),
        _group("keys", "operations.keys", "Create, list and revoke API keys; seal secrets anew."),
        _here("migrate", "operations.database", "Migrate the database to this version's schema."),
        _here("verify", "operations.database", "Check the database; a gateway may run."),
        _here("backup", "operations.database", "Copy the database and check the copy."),
        _here("restore", "operations.restore", "Restore a backup, or try if it can be restored."),
        _here("copy", "operations.copying", "Copy the database to PostgreSQL, or back to a file."),
    ),
}
COMMANDS: Final = tuple(listed for group in GROUPS.values() for listed in group)
