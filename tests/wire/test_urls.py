"""URLs that are read."""

import httpx
import pytest

from gateway.wire.urls import read_url


def test_a_url_is_read_once() -> None:
    text = "https://hooks.example/a?b=c"
    assert read_url(text) == httpx.URL(text)
    assert read_url(text) is read_url(text)


def test_what_is_no_url_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(httpx.InvalidURL):
            read_url("https://hooks.example:port/")
