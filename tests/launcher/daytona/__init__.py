"""Both providers of Daytona against its stand-ins."""
