"""The store and the ledger on a real SQLite file."""
