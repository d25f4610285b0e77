"""The HTTP interface, over the real ledger and a real SQLite file."""
