"""The way to other hosts: clients, proxies, certificate authorities, host names."""
