"""The store in SQL that both dialects share: statements, and what they read and write."""
