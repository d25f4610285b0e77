"""One secret of each form that is known, made up."""

from typing import Final

PRIVATE_KEY: Final = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    f"{'MIIEpAIBAAKCAQEA' * 4}\n{'q83vEjRWeJCrze8S' * 4}\nNFZ4kKvN7w==\n"
    "-----END RSA PRIVATE KEY-----"
)
BY_KIND: Final = {
    "webhook_secret": "whsec_" + "aB3/+" * 8 + "aB3=",
    "slipgate_key": "slip_tasks_" + "a-B_c" * 8 + "xyz",
    "anthropic_key": "sk-ant-api03-" + "Ab1-_" * 8,
    "openai_key": "sk-proj-" + "Ab1-_" * 8,
    "secret_key": "sk-" + "Ab1x" * 12,
    "github_token": "ghp_" + "Ab1x" * 9,
    "gitlab_token": "glpat-" + "Ab1x_" * 4,
    "aws_key": "AKIA" + "ABCD1234" * 2,
    "slack_token": "xoxb-123456789012-abcdefABCDEF",
    "daytona_key": "dtn_" + "0a1b2c3d" * 4,
    "google_key": "AIza" + "Ab1_-" * 7,
    "npm_token": "npm_" + "Ab1x" * 9,
    "huggingface_token": "hf_" + "Ab1x" * 9,
    "stripe_key": "sk_live_" + "Ab1x" * 6,
    "private_key": PRIVATE_KEY,
    "jwt": ".".join(["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0In0", "dozjgNryP4J3jVmNHl0w"]),
}
"""Secrets with a known form; the others are recognised by their context."""
MORE: Final = {
    "github_pat_" + "Ab1x" * 9: "github_token",
    "gho_" + "Ab1x" * 9: "github_token",
    "ASIA" + "ABCD1234" * 2: "aws_key",
    "sk-or-v1-" + "0a1b2c3d" * 8: "openai_key",
}
AROUND: Final = {
    "capability": ("https://gate.example/v1/hooks/task_01/", "1." + "a-B_c" * 8 + "xyz", ""),
    "authorization": ("authorization: Basic ", "dXNlcjpwYXNz", "\n"),
    "bearer_token": ("curl -H 'X: Bearer ", "abcdefghijklmnop", "'"),
    "password": ("https://", "user:p%40ss", "@example.com/x"),
    "variable": ("MY_SERVICE_TOKEN=", "hunter2hunter2", "\nHOME=/root"),
}
"""The text before a secret, the secret, and the text behind it."""
