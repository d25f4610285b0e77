"""Explanations, sentence by sentence."""
