"""Who may ask the admin listener."""

import pytest

from proxy.admin.hosts import is_ours

OURS = [
    "127.0.0.1",
    "127.0.0.1:8081",
    "localhost:8081",
    "LOCALHOST",
    "[::1]:8081",
    "[::1]",
    "10.1.2.3:8081",
    "proxy.internal:8081",
    "Proxy.Internal",
]
# A browser that was led here by a name sends that name.
NOT_OURS = [
    "evil.example",
    "evil.example:8081",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "proxy.internal.evil.example",
    "evil.example@127.0.0.1",
    "127.0.0.1:8081@evil.example",
    "127.0.0.1:80:80",
    "127.1",
    "2130706433",
    "[::1",
    "::1",
    "",
    " ",
    "localhost ",
    "localhost\n",
]


@pytest.mark.parametrize("header", OURS)
def test_addresses_loopback_and_the_listeners_own_name_are_ours(header):
    assert is_ours(header, "proxy.internal")


@pytest.mark.parametrize("header", NOT_OURS)
def test_other_names_are_not(header):
    assert not is_ours(header, "proxy.internal")
    assert not is_ours(header, "127.0.0.1")


def test_no_browser_leaves_the_header_out():
    assert is_ours(None, "127.0.0.1")


@pytest.mark.parametrize("listen", ["0.0.0.0", "::"])
def test_a_listener_on_all_addresses_has_names_that_it_does_not_know(listen):
    assert is_ours("proxy.monitoring.svc", listen)
