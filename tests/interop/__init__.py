"""Interoperation: the reference libraries, and the code that the pages have others paste."""
