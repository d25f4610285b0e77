"""What to do about an error: one table from code to advice."""

from typing import Final

_MODEL_KEY: Final = "give the launcher, or the task's env, a working key of the model's provider"

ADVICE: Final = {
    # Ours.
    "expired": "start a launcher that can take it, or give it a longer timeouts.queueSeconds",
    "launch_timeout": "look at the provider's status page and the launcher's log",
    "snapshot_not_found": "build and push the snapshot, or name one that exists",
    "snapshot_inactive": "activate the snapshot at its provider",
    "wrong_snapshot": "check at the provider what stands under the snapshot's name",
    "provider_auth": "give the launcher a valid key of its provider",
    "provider_quota": "free sandboxes or raise the quota at the provider",
    "provider_refused": "read what it says, and correct what it does not take",
    "provider_unavailable": "look at the provider's status page",
    "realm_missing": "start a launcher of that realm: only it can look at the sandbox",
    "sandbox_gone": "find out what removed the sandbox from outside",
    "sandbox_stopped": "check the provider's auto-stop, or who stopped the sandbox",
    "sandbox_error": "read the provider's own page of the sandbox",
    "agent_exited": "read the end of its log (out of memory is one reason to exit)",
    "agent_silent": "read the end of its log to see where it hung",
    "run_timeout": "ask for less at a time, or give it a longer timeouts.runSeconds",
    "env_unreadable": "give the gateway the master key it was made with, or create it anew",
    # The launchers'.
    "invalid_environment": "correct the variable of its env that the message names",
    "invalid_job": "bring gateway and launcher to the same version",
    "invalid_name": "bring gateway and launcher to the same version",
    "labels_differ": "remove the foreign sandbox of the same name at the provider",
    "name_taken": "remove the foreign sandbox of the same name at the provider",
    # The agents'.
    "agent_failed": "read the end of its log",
    "agent_not_found": "install its command in the snapshot, or name another",
    "agent_stuck": "say more precisely in the prompt what is wanted",
    "agent_time_over": "ask for less at a time, or give it a longer timeouts.runSeconds",
    "already_running": "retry it: two agents had started in one sandbox",
    "base_branch_missing": "name a baseBranch that exists in the repository",
    "branch_exists": "name another branchName: this one holds somebody else's work",
    "branch_moved": "retry it: somebody else pushed to its branch meanwhile",
    "branch_name_refused": "name a branch that git accepts",
    "clone_failed": "check that the GITHUB_TOKEN may read the repository",
    "configuration": "correct the variables that the message names",
    "empty_repository": "make a first commit in the repository",
    "git_failed": "read git's own words in its log",
    "git_timed_out": "retry it: the git server was too slow",
    "internal": "report it with the traceback in its log: the agent's runner has a bug",
    "max_cost": "raise agent.maxCostUsd, or ask for less at a time",
    "max_turns": "raise agent.maxTurns, or ask for less at a time",
    "model_auth": _MODEL_KEY,
    "model_context_exceeded": "ask for less at a time, or choose a model with a larger context",
    "model_garbage": "retry it, or choose another model",
    "model_not_found": "name a model that the key's account may use",
    "model_quota": "add credit at the model's provider",
    "model_rate_limited": "wait, or raise the limit at the model's provider",
    "model_refused_request": "read in its log what the model's provider objects to",
    "model_unavailable": "look at the status page of the model's provider",
    "model_unreachable": "check that the sandbox may reach the model's provider",
    "patch_does_not_apply": "retry it: its base branch has moved",
    "patch_refused": "read the patch and narrow the prompt: it touches what no patch may",
    "prompt_unavailable": "check that the sandbox may reach the gateway",
    "pull_request_failed": "check that the GITHUB_TOKEN may open pull requests",
    "push_failed": "check that the GITHUB_TOKEN may push to the repository",
    "repo_url_refused": "name the repository in a form that git accepts",
    "state_directory": "check the snapshot: the sandbox's disk is full or read-only",
    "terminated": "find out what stopped its process from outside",
    "time_over": "ask for less at a time, or give it a longer timeouts.runSeconds",
}
"""In the imperative, without a full stop."""


def advice(code: str) -> str:
    """What to do about an error of this code; for one that is not known, where to look."""
    return ADVICE.get(code, "read the end of its log")
