"""Parts of a patch that its reviewer must see."""
