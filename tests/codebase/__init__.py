"""The size of the product and its words, counted; `make check` prints them."""
