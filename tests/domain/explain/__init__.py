"""What an explanation says, sentence by sentence."""
