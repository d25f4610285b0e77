"""A stand-in for GitHub Actions: the API that starts runs, and a runner that runs their steps."""
