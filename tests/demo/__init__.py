"""The fakes of the demo, over real sockets and with the real git."""
