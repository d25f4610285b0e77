"""Messages of Daytona, GitHub and the drop-in workspace API."""
