"""`slipgate up` and `slipgate demo`: everything on this machine."""
