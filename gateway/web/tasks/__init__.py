"""`/v1/tasks` and everything below it, `/v1/events`."""
