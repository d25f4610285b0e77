"""Metrics of one gateway in Prometheus' text form."""
