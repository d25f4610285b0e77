"""Engines that are programs of their own: Claude Code, Codex and opencode."""
