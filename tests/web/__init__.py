"""The web floor over ASGI: the real routes, ledger, loops and SQLite behind them."""
