"""A stand-in for the part of GitHub that a GitHub App talks to."""
