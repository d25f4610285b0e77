"""The way out of every refusal: the field, setting or command that would allow it, or none."""

from typing import Final

_NEW_KEY: Final = "`slipgate keys create` makes another key"
_NEW_TOKEN: Final = "Get one for this task from `POST /v1/tasks/{id}/stream-token`"  # noqa: S105 - a sentence
_SIGN: Final = "`slipgate webhook sign` makes them"

REMEDIES: Final = {
    "invalid_json": "Send JSON (RFC 8259) in UTF-8; `GET /openapi.json` has an example.",
    "invalid_cursor": "Take `nextCursor` of the page before, or leave `cursor` out.",
    "invalid_idempotency_key": "Give `Idempotency-Key` 1 to 255 printable ASCII characters.",
    "unauthorized": "Send `Authorization: Bearer slip_…`; `slipgate keys create` makes keys.",
    "key_expired": f"{_NEW_KEY}; without `--expires-in` it has no end.",
    "invalid_token": f"{_NEW_TOKEN}.",
    "token_expired": f"{_NEW_TOKEN}; `refreshAt` says when the next one is due.",
    "malformed_headers": "Send `webhook-id`, `webhook-timestamp` and `webhook-signature`; "
    f"{_SIGN}.",
    "timestamp_out_of_tolerance": "Sign each attempt anew, with the Unix seconds of its sending in "
    "`webhook-timestamp`.",
    "invalid_signature": "Sign `{id}.{timestamp}.{body}` with the secret of this very sender; "
    "`slipgate webhook verify` finds the mistake.",
    "forbidden": "Use a key whose `scope` may do this: `slipgate keys create --scope`.",
    "launcher_revoked": "`slipgate launchers resume` lets it work again.",
    "not_found": "Compare the id with `slipgate tasks list` (or the list of its kind) under the "
    "same key: things of other projects are not shown.",
    "unknown_task": "Send `taskId` and `attempt` as `SLIPGATE_TASK_ID` and `SLIPGATE_ATTEMPT` of "
    "the sandbox have them.",
    "unknown_job": "Take jobs from `POST /v1/launcher/claim` of this installation.",
    "no_trajectory": "`slipgate tasks logs` has its output; the record comes with its end.",
    "no_github_app": "Set `SLIPGATE_GITHUB_APP_ID` for a launcher, and install the App in the "
    "repository; `slipgate doctor` checks it.",
    "no_patch": "`?attempt=` names another attempt; `slipgate tasks explain` tells its state.",
    "method_not_allowed": "Use one of the methods in the header `Allow`.",
    "already_finished": "`slipgate tasks retry` makes another attempt.",
    "not_finished": "`slipgate tasks cancel` ends it; `slipgate tasks watch` waits for its end.",
    "env_expired": "Create the task anew with its `env`: `slipgate tasks create`.",
    "sandbox_alive": "`slipgate tasks explain` says what is awaited; `slipgate tasks release` "
    "declares the sandbox gone.",
    "patch_incomplete": "Send the chunk of the missing `offset`, or end without the patch.",
    "launcher_id_taken": "Use a `launcherId` of its own for each process, or take the other one "
    "away: `slipgate launchers revoke`.",
    "realm_mismatch": "Let a launcher with the realm of the sandbox do it: `SLIPGATE_REALM`.",
    "provider_mismatch": "Claim with this provider and realm in `providers`: `SLIPGATE_PROVIDERS` "
    "and `SLIPGATE_REALM` of the launcher.",
    "sandbox_mismatch": "Report `sandbox.name` as the job has it.",
    "webhook_id_reused": "Give each message a `webhook-id` of its own; only the same body comes "
    "under the same one.",
    "event_id_reused": "Give each event an `eventId` of its own, or leave it out.",
    "implicit_endpoint": "Change `callbackUrl` of the tasks, or make an endpoint of its own: "
    "`slipgate endpoints create`.",
    "last_ops_key": "`slipgate keys create --scope=ops` makes another first; beside the database "
    "`slipgate keys revoke` revokes any.",
    "endpoint_disabled": "`slipgate endpoints enable` enables it.",
    "too_many_endpoints": "`slipgate endpoints delete` makes room; `slipgate endpoints list "
    "--customer` lists them.",
    "too_many_secrets": "`slipgate endpoints rotate --overlap=0` retires the older ones.",
    "cursor_expired": "Leave `after` out to begin with the oldest event that is kept; "
    "`SLIPGATE_RETENTION_DAYS` of the gateway says how long that is.",
    "unsupported_media_type": "Send `Content-Type: application/json`.",
    "invalid_request": "Correct what `errors` names; `GET /openapi.json` has the form of each.",
    "schema_mismatch": "Send `data` as `GET /v1/event-types/{eventType}` has it in `schema`; "
    "`slipgate events describe` changes that.",
    "invalid_schema": "Correct `schema` as `detail` says.",
    "reserved_event_type": "Begin `type` with a word of your own, such as `invoice.paid`.",
    "unknown_event_type": "Send a `type` that `GET /openapi.json` lists for agents.",
    "idempotency_mismatch": "Use another `Idempotency-Key` for another request.",
    "too_many_tasks": "Narrow the `filter`: `createdAfter`, `status`, `errorCode` and others.",
    "reserved_env": "Leave the variable out of `env`; what every sandbox needs is handed over by "
    "the launcher: `SLIPGATE_SANDBOX_ENV`.",
    "repo_not_allowed": "`SLIPGATE_ALLOWED_REPOS` of the gateway allows it.",
    "launcher_too_old": "Bring the launcher to the gateway's version: `slipgate version`.",
    "rate_limited": "Wait for `Retry-After`; `slipgate keys create --rate --burst` allows more.",
    "too_many_open": "Close some, or wait for `Retry-After`; `slipgate keys create --concurrent` "
    "allows more.",
    "launch_failed": "`slipgate doctor --live` finds the cause with the launcher's variables.",
    "unavailable": "Repeat it after `Retry-After` under the same `Idempotency-Key`; "
    "`slipgate status` tells the operator more.",
    "read_only": "Free space on the disk of `SLIPGATE_DATABASE_URL`: it then goes on by itself.",
    "intake_paused": "`slipgate switches resume intake` ends the pause.",
    "database_replaced": "Restart it: `slipgate gateway`.",
}
"""By code; the hint of an error that has none of its own."""

UNAVOIDABLE: Final = {
    "invalid_http": "bytes that are no HTTP/1.1 have no meaning",
    "request_timeout": "slow senders must not use up the connections of all",
    "lease_lost": "two launchers must never make one sandbox",
    "stale_attempt": "an older attempt must not change a newer one",
    "attempt_finished": "an end is final; another attempt is a new one",
    "task_purged": "what was purged is gone for good",
    "too_large": "one request must not use up the memory of all",
    "patch_too_large": "one task must not use up the disk of all",
    "uri_too_long": "one request must not use up the memory of all",
    "headers_too_large": "one request must not use up the memory of all",
    "internal": "it is a bug: report it with its request id",
}
"""Refusals that nothing can allow, each with its reason."""
