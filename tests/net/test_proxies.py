"""Which proxy is taken: the set one, the environment's, or none."""

import pytest

from tickwire import errors
from tickwire.net.proxies import named_proxies, proxy_for

WSS, WS, REST = "wss://api.example.org/ws", "ws://api.example.org:8080", "https://api.example.org/x"


def taken(url: str, setting: str | None = None, **environment: str) -> str | None:
    proxy = proxy_for(url, setting, environment)
    return None if proxy is None else str(proxy)


def test_a_set_one_goes_before_the_environment() -> None:
    assert taken(WSS, "socks5://p:1", HTTPS_PROXY="http://q:2") == "proxy socks5://p:1 (proxy)"
    assert taken(WSS, "off", HTTPS_PROXY="http://q:2") is None
    assert taken(WSS, "http://p:1", NO_PROXY="*") == "proxy http://p:1 (proxy)"


def test_the_environment_by_scheme() -> None:
    named = {"HTTPS_PROXY": "http://s:1", "HTTP_PROXY": "http://h:2", "ALL_PROXY": "socks5://a:3"}
    assert taken(WSS, **named) == "proxy http://s:1 (HTTPS_PROXY)"
    assert taken(REST, **named) == "proxy http://s:1 (HTTPS_PROXY)"
    assert taken(WS, **named) == "proxy http://h:2 (HTTP_PROXY)"
    assert taken(WS, ALL_PROXY="socks5://a:3") == "proxy socks5://a:3 (ALL_PROXY)"
    assert taken(WS, HTTPS_PROXY="http://s:1") is None
    assert taken(WSS) is None
    assert taken(WSS, HTTPS_PROXY="") is None


def test_small_letters_go_first_and_a_scheme_may_be_left_out() -> None:
    assert taken(WSS, https_proxy="p:1", HTTPS_PROXY="http://q:2") == "proxy p:1 (https_proxy)"


def test_a_header_of_a_request_is_no_proxy() -> None:
    assert taken(WS, HTTP_PROXY="http://evil:1", REQUEST_METHOD="GET") is None
    assert taken(WS, http_proxy="http://p:1", REQUEST_METHOD="GET") is not None


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ("*", True),
        ("example.org", True),
        (".example.org", True),
        ("*.example.org", True),
        ("localhost, API.example.org", True),
        ("api.example.org:443", False),
        ("ample.org", False),
        ("example.com,,", False),
        ("10.0.0.0/8", False),
    ],
)
def test_no_proxy(no_proxy: str, direct: bool) -> None:
    assert (taken(WSS, HTTPS_PROXY="http://p:1", NO_PROXY=no_proxy) is None) == direct


def test_no_proxy_by_port_and_by_network() -> None:
    assert taken(WS, http_proxy="http://p:1", no_proxy="api.example.org:8080") is None
    for url, direct in (
        ("ws://10.1.2.3", True),
        ("ws://11.1.2.3", False),
        ("ws://[fe80::1]", True),
    ):
        took = taken(url, http_proxy="http://p:1", no_proxy="10.0.0.0/8,[fe80::1]")
        assert (took is None) == direct


def test_a_password_is_not_shown() -> None:
    shown = taken(WSS, HTTPS_PROXY="http://me:secretPass@p:1")
    assert shown == "proxy http://p:1 (HTTPS_PROXY)"
    assert "secretPass" not in repr(proxy_for(WSS, "http://me:secretPass@p:1"))


def test_what_is_no_proxy_is_refused_by_name() -> None:
    with pytest.raises(errors.ConnectionFailed, match=r"https://p:1 \(HTTPS_PROXY\): a proxy is"):
        taken(WSS, HTTPS_PROXY="https://p:1")


def test_what_the_environment_says() -> None:
    named = named_proxies({"ALL_PROXY": "socks5://a:3", "no_proxy": "x", "OTHER": "y"})
    assert named == {"all_proxy": ("ALL_PROXY", "socks5://a:3"), "no_proxy": ("no_proxy", "x")}
