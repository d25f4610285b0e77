"""Rules for operators: rate limits, dry runs, gauges."""
