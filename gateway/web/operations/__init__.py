"""Health, readiness, metrics, the reconciler's dry run."""
