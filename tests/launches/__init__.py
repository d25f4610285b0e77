"""Many launches through launchers that die, on a Daytona where every fifth call fails."""
