"""The agents that can work on a task: ours, or any command."""
