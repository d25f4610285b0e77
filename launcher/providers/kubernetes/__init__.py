"""`kubernetes`: each sandbox is a Job of one namespace."""
