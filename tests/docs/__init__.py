"""The README and the pages name everything there is, and nothing else."""
