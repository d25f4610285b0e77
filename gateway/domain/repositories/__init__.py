"""Addresses of repositories, compared as hosts and paths, never as text."""
