"""HTTP out: judged addresses, pinned connections, proxies."""
