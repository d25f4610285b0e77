"""The snapshot, run as it runs in a sandbox: real processes, real git, real HTTP."""
