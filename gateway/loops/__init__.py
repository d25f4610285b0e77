"""Background work: each loop is `step() -> seconds until there is work`."""
