"""The snapshot: what a sandbox is made of, and the agent's runner inside it."""
