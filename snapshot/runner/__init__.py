"""What runs inside the sandbox: one task, one attempt, one key, next to untrusted code."""
