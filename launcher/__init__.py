"""The launcher: pulls jobs from the gateway and makes, asks and ends sandboxes for them."""
