"""The push and the pull request."""
