"""The invariants of `lifecycle.md`, checked on stored rows and events."""
