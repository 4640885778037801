import pytest

from tickwire.wire import WebSocketUrl, parse_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "wss://api.hyperliquid.xyz/ws",
            (True, "api.hyperliquid.xyz", 443, "/ws", "api.hyperliquid.xyz"),
        ),
        (
            "wss://fstream.binance.com:443/stream?streams=a@trade/b@depth@100ms",
            (
                True,
                "fstream.binance.com",
                443,
                "/stream?streams=a@trade/b@depth@100ms",
                "fstream.binance.com",
            ),
        ),
        ("ws://127.0.0.1:8765", (False, "127.0.0.1", 8765, "/", "127.0.0.1:8765")),
        ("ws://localhost?x=1", (False, "localhost", 80, "/?x=1", "localhost")),
        ("ws://[::1]:9001/", (False, "::1", 9001, "/", "[::1]:9001")),
        ("wss://[2001:DB8::1]/a", (True, "2001:db8::1", 443, "/a", "[2001:db8::1]")),
        ("WSS://Example.COM:80/A", (True, "example.com", 80, "/A", "example.com:80")),
        (
            "ws://bücher.example/",
            (False, "xn--bcher-kva.example", 80, "/", "xn--bcher-kva.example"),
        ),
        ("ws://h/ä%20b?q=€", (False, "h", 80, "/%C3%A4%20b?q=%E2%82%AC", "h")),
    ],
)
def test_urls_are_taken_apart(url, expected):
    assert parse_url(url) == WebSocketUrl(*expected)


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("http://example.com", "ws or wss"),
        ("example.com/ws", "ws or wss"),
        ("", "ws or wss"),
        ("ws://", "no host"),
        ("ws://:80/", "no host"),
        ("ws:///path", "no host"),
        ("ws://h/#part", "fragment"),
        ("ws://h/#", "fragment"),
        ("ws://h:0/", "port 0"),
        ("ws://h:65536/", "(?i)port"),
        ("ws://h:abc/", "(?i)port"),
        ("ws://[::1/", "(?i)ipv6"),
        ("ws://[1.2.3.4]/", "(?i)ip"),
        ("ws://[fe80::1%25eth0]/", "zone|IPv6"),
        ("ws://a b/", "white space"),
        ("ws://h/a\r\nX: y", "white space"),
        ("ws://h\t/", "white space"),
        ("ws://h\\evil/", "white space, backslash"),
        ("ws://h/\x00", "control character"),
        ("ws://a..b/", "host name"),
        ("ws://a!b/", "host name"),
    ],
)
def test_what_is_not_a_websocket_url_is_refused(url, match):
    with pytest.raises(ValueError, match=match):
        parse_url(url)


def test_credentials_are_refused_and_not_shown():
    with pytest.raises(ValueError, match="Authorization") as caught:
        parse_url("wss://me:hunter2@example.com/")
    assert "hunter2" not in str(caught.value)
