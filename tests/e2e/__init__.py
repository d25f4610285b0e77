"""Tests of the whole product, as real processes."""
