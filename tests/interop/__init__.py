"""Whether others understand us: the reference libraries, and what the README has them paste."""
