"""The engines that are programs of their own."""
