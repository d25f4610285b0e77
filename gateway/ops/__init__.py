"""Files for the programs of operators: alerts for Prometheus, a dashboard for Grafana."""
