"""The portal: what the customers of an application see and change, of their own alone."""
