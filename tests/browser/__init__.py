"""Tests of the dashboard in a real browser, where there is one."""
