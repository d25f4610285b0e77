"""The doctor and the snapshot commands against the stand-in Daytona."""
