"""Commands of operators: keys, database, launchers, sweeps."""
