"""The checks that a task or its repository declares."""
