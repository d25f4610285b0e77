"""A stand-in for Daytona: its API and its CLI as a launcher sees them, quirks included."""
