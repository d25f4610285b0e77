"""What holds for every test: a slow machine is no failure of the code."""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

WORKERS_PER_CORE = 2
"""Tests of real programs wait for them half of the time."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many run side by side with `-n auto`."""
    return WORKERS_PER_CORE * (os.cpu_count() or 1)
