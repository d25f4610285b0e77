"""The operations of the API, each a method of both clients."""
