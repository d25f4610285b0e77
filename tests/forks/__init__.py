"""Programs that fork from one process which has imported them: a start costs 25 ms, not 400."""
