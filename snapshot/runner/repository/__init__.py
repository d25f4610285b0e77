"""Git: the clone, the agent's checkout, and the patch made of it."""
