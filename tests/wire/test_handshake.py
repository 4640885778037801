import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.server import ServerProtocol

from tickwire import redaction
from tickwire.errors import HandshakeError
from tickwire.wire import FrameParser, HandshakeResponse, build_request, make_key, parse_url
from tickwire.wire.handshake import MAX_BODY_BYTES, MAX_HEADER_BYTES, accept_of

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455 section 1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
GOOD = (
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    f"Sec-WebSocket-Accept: {ACCEPT}",
)


def answer(*lines, body=b""):
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def receive_all(response, data, size, *, eof=False):
    for start in range(0, len(data), size):
        assert not response.receive(data[start : start + size])
    if eof:
        response.receive_eof()


def refused(data, match, *, status=None, eof=False, **options):
    """Check that `data` is refused, in one piece and byte by byte."""
    for size in (len(data) + 1, 1):
        with pytest.raises(HandshakeError, match=match) as caught:
            receive_all(HandshakeResponse(KEY, **options), data, size, eof=eof)
        assert caught.value.status == status
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


def test_the_example_of_section_1_3():
    assert accept_of(KEY) == ACCEPT


def test_keys_are_16_random_bytes():
    keys = {make_key() for _ in range(50)}
    assert len(keys) == 50
    assert {len(key) for key in keys} == {24}


def test_the_request_is_what_section_4_1_asks_for():
    request = build_request(
        parse_url("wss://example.com:8443/ws?x=1"),
        KEY,
        headers=[("User-Agent", "test"), ("Origin", "https://example.com")],
        subprotocols=["chat", "superchat"],
    )
    assert request == answer(
        "GET /ws?x=1 HTTP/1.1",
        "Host: example.com:8443",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: chat, superchat",
        "User-Agent: test",
        "Origin: https://example.com",
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"headers": [("X", "a\r\nEvil: 1")]}, "not allowed"),
        ({"headers": [("X", "a\nb")]}, "not allowed"),
        ({"headers": [("X", "a\x00")]}, "not allowed"),
        ({"headers": [("X", "€")]}, "not allowed"),
        ({"headers": [("X\r\nY", "a")]}, "not a token"),
        ({"headers": [("X:", "a")]}, "not a token"),
        ({"headers": [("", "a")]}, "not a token"),
        ({"headers": [("hOST", "a")]}, "belongs to the handshake"),
        ({"headers": [("Sec-WebSocket-Key", "a")]}, "belongs to the handshake"),
        ({"headers": [("Content-Length", "5")]}, "belongs to the handshake"),
        ({"subprotocols": ["a, b"]}, "not a token"),
        ({"subprotocols": ["a\r\n"]}, "not a token"),
        ({"subprotocols": ["a", "a"]}, "twice"),
    ],
)
def test_requests_cannot_be_injected_into(options, match):
    with pytest.raises(ValueError, match=match):
        build_request(parse_url("ws://h/"), KEY, **options)


def test_a_secret_header_value_is_not_shown():
    with pytest.raises(ValueError, match="X-Api-Key") as caught:
        build_request(parse_url("ws://h/"), KEY, headers=[("X-Api-Key", "s3cret\n")])
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("offered", [(), ("chat", "superchat")])
def test_an_independent_server_accepts_the_request(offered):
    server = ServerProtocol(subprotocols=list(offered[1:]) or None)
    key = make_key()
    server.receive_data(build_request(parse_url("ws://localhost:1/a?b"), key, subprotocols=offered))
    (request,) = server.events_received()
    assert server.handshake_exc is None
    assert request.path == "/a?b"
    reply = server.accept(request)
    assert reply.status_code == 101
    server.send_response(reply)
    server.send_text(b"hello")
    data = b"".join(server.data_to_send())
    response = HandshakeResponse(key, subprotocols=offered)
    assert response.receive(data)
    assert response.subprotocol == (offered[1] if offered else None)
    assert FrameParser().receive(response.rest) == [(1, b"hello")]


def test_every_cut_gives_the_same():
    data = answer("HTTP/1.1 103 Early Hints", "Link: x") + answer(*GOOD, body=b"\x81\x02hi")
    for cut in range(len(data) + 1):
        response = HandshakeResponse(KEY)
        opened = response.receive(data[:cut])
        assert opened is (cut >= len(data) - 4)
        assert response.receive(data[cut:])
        assert response.rest == b"\x81\x02hi"
        assert response.headers[0] == ("upgrade", "websocket")
    response = HandshakeResponse(KEY)
    assert [response.receive(bytes([byte])) for byte in data].count(True) == 5
    assert response.rest == b"\x81\x02hi"
    response.receive_eof()  # the end of an open connection is not the handshake's business


@pytest.mark.parametrize(
    "lines",
    [
        ("HTTP/1.1 101 ", *GOOD[1:]),
        ("HTTP/1.1 101", *GOOD[1:]),
        (GOOD[0], "uPGRADE:WebSocket", "CONNECTION: keep-alive,\tupgrade ", GOOD[3]),
        (GOOD[0], GOOD[1], "Connection: keep-alive", "Connection: Upgrade", GOOD[3]),
        (GOOD[0], GOOD[1], "Connection: ,keep-alive\t,, Upgrade,", GOOD[3]),
        (*GOOD, "X-Latin: \xe9", "X-Empty:", "Content-Length: 0"),
        (*GOOD, "Sec-WebSocket-Extensions:"),
        (*GOOD, *(f"X-{i}: y" for i in range(97))),
    ],
)
def test_right_answers_are_taken(lines):
    assert HandshakeResponse(KEY).receive(answer(*lines))


def without(name):
    return [line for line in GOOD if not line.startswith(name)]


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (without("Upgrade"), "Upgrade None"),
        ([*without("Upgrade"), "Upgrade: h2c"], "Upgrade 'h2c'"),
        ([*without("Upgrade"), "Upgrade: websocket, h2c"], "not 'websocket'"),
        ([*without("Upgrade"), "Upgrade: " + "x" * 2000], r"Upgrade 'x+\.\.\.', not"),
        ([*GOOD, "Upgrade: websocket"], "upgrade more than once"),
        (without("Connection"), "no 'Upgrade' in Connection"),
        ([*without("Connection"), "Connection: upgrades"], "no 'Upgrade' in Connection"),
        ([*without("Connection"), "Connection: Upgrade\xa0"], "malformed Connection"),
        ([*GOOD, "Connection: keep alive"], "malformed Connection"),
        ([*GOOD, "Connection: Sec-WebSocket-Accept: x"], "malformed Connection"),
        (without("Sec-"), "no right Sec-WebSocket-Accept"),
        ([*without("Sec-"), f"Sec-WebSocket-Accept: {KEY}"], "no right Sec-WebSocket-Accept"),
        (
            [*without("Sec-"), f"Sec-WebSocket-Accept: {ACCEPT.lower()}"],
            "no right Sec-WebSocket-Accept",
        ),
        ([*without("Sec-"), "Sec-WebSocket-Accept: \xe9"], "no right Sec-WebSocket-Accept"),
        ([*GOOD, f"Sec-WebSocket-Accept: {ACCEPT}"], "sec-websocket-accept more than once"),
        ([*GOOD, "Sec-WebSocket-Extensions: permessage-deflate"], "not offered: permessage"),
        ([*GOOD, "Sec-WebSocket-Protocol: chat"], "not offered: 'chat'"),
        ([*GOOD, "Transfer-Encoding: chunked"], "announces a body"),
        ([*GOOD, "Content-Length: 5"], "announces a body"),
        ([*GOOD, " folded: x"], "malformed header"),
        ([*GOOD, "X : y"], "malformed header"),
        ([*GOOD, "no colon"], "malformed header"),
        ([*GOOD, ": empty"], "malformed header"),
        ([*GOOD, "X: \x00"], "malformed header"),
        ([*GOOD, "X: \x1b[31m"], "malformed header"),
        ([*GOOD, *(f"X-{i}: y" for i in range(98))], "more than 100 headers"),
    ],
)
def test_wrong_answers_are_refused(lines, match):
    refused(answer(*lines), match, status=101)


def test_subprotocols_that_were_not_offered_or_come_twice_are_refused():
    chat, other = "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: other"
    refused(answer(*GOOD, other), "not offered", status=101, subprotocols=["chat"])
    refused(answer(*GOOD, chat, chat), "more than once", status=101, subprotocols=["chat"])
    response = HandshakeResponse(KEY, subprotocols=["chat"])
    assert response.receive(answer(*GOOD, chat))
    assert response.subprotocol == "chat"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 101 Switching Protocols\r\n\r\n",
        b"HTTP/2 101\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x03\x00\x02\x02\x46",  # a TLS alert to a plain client
        b"HTTP/1.1 1011 x\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 600 x\r\n\r\n",
        b"HTTP/1.1  101 x\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(data):
    refused(data, "did not answer in HTTP/1.1")


@pytest.mark.parametrize(
    "data",
    [
        answer(*GOOD).replace(b"\r\n", b"\n"),
        answer(*GOOD).replace(b"\r\nConn", b"\nConn"),
        answer(*GOOD).replace(b"\r\nConn", b"\rConn"),
        answer(*GOOD, "X: a\rb"),
    ],
)
def test_lines_must_end_in_cr_lf(data):
    refused(data, "CR LF")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused_with_their_location(status):
    data = answer(f"HTTP/1.1 {status} Elsewhere", "Location: wss://u:p@other.example/ws?token=1")
    refused(data, r"not followed \(to wss://other\.example/ws\?token=\*\*\*\)", status=status)


@pytest.mark.parametrize(
    ("lines", "body", "shown"),
    [
        (
            ["HTTP/1.1 403 Forbidden", "Content-Length: 17"],
            b"no,\r\n not today\x1b!",
            "answered 403 Forbidden: no, not today !$",
        ),
        (["HTTP/1.1 429", "Content-Length: 0"], b"", "answered 429$"),
        (
            ["HTTP/1.1 400 Bad Request", "Content-Length: 53"],
            b"<html><head><title>x</title></head><p>Go away</html>\n",
            "Bad Request: Go away$",
        ),
        (["HTTP/1.1 500 Oops", "Content-Length: 99999999999999"], b"x" * 5000, r"Oops: x+\.\.\.$"),
        (["HTTP/1.1 200 OK", "Content-Length: 2"], b"\xff\xfe", "answered 200 OK: \ufffd\ufffd$"),
    ],
)
def test_an_error_answer_is_told_on_one_line(lines, body, shown):
    refused(answer(*lines, body=body), shown, status=int(lines[0][9:12]))


def test_no_more_than_the_start_of_an_answer_is_looked_through_for_mark_up():
    """`<` after `<` would take the square of its length."""
    lines = ["HTTP/1.1 500 <" + "x" * (MAX_BODY_BYTES - 3) + ">y", "Content-Length: 0"]
    refused(answer(*lines), "answered 500 y$", status=500)
    lines[0] = "HTTP/1.1 500 <" + "x" * MAX_BODY_BYTES + ">y"
    refused(answer(*lines), r"answered 500 <x+\.\.\.$", status=500)


def test_half_a_secret_at_the_end_of_what_is_looked_at_is_not_shown(monkeypatch):
    monkeypatch.setattr(redaction, "_secrets", {})
    monkeypatch.setattr(redaction, "_found_by", ())
    redaction.hide("opensesame")
    style = b"<style>" + b"x" * (MAX_BODY_BYTES - 24) + b"</style>"
    data = answer(
        "HTTP/1.1 403 No", f"Content-Length: {MAX_BODY_BYTES}", body=style + b"opensesame"
    )
    with pytest.raises(HandshakeError) as caught:
        HandshakeResponse(KEY).receive(data)
    assert "open" not in str(caught.value)


def test_a_chunked_error_shows_its_first_chunk():
    data = answer(
        "HTTP/1.1 451 No", "Transfer-Encoding: chunked", body=b"c\r\nnot for you.\r\n0\r\n\r\n"
    )
    with pytest.raises(HandshakeError, match=r"451 No: not for you\.$"):
        HandshakeResponse(KEY).receive(data)


def test_the_end_of_the_stream_says_what_is_known():
    refused(b"", "closed the connection", eof=True)
    refused(b"HTTP/1.1 101 Swi", "closed the connection", eof=True)
    data = answer("HTTP/1.1 418 Teapot", "Content-Length: 100", body=b"short and")
    refused(data, "418 Teapot: short and$", eof=True, status=418)


def test_interim_answers_are_skipped_but_counted():
    hint = answer("HTTP/1.1 103 Early Hints", "X: " + "y" * 1000)
    assert HandshakeResponse(KEY).receive(hint * 10 + answer(*GOOD))
    with pytest.raises(HandshakeError, match=f"above {MAX_HEADER_BYTES} bytes"):
        HandshakeResponse(KEY).receive(hint * 16)


@pytest.mark.parametrize("piece", [b"x" * 100, b"x: y\r\n"])
def test_a_header_without_end_is_refused(piece):
    data = b"HTTP/1.1 101 x\r\n" + piece * MAX_HEADER_BYTES
    with pytest.raises(HandshakeError, match=f"above {MAX_HEADER_BYTES} bytes"):
        receive_all(HandshakeResponse(KEY), data, len(piece))


@settings(max_examples=2 * settings.default.max_examples)
@given(st.binary(max_size=60), st.integers(0, 160), st.integers(0, 8))
def test_damage_is_refused_or_waited_for(noise, position, n_removed):
    """Nothing but HandshakeError comes out of a damaged answer."""
    data = answer(*GOOD, body=b"\x81\x00")
    data = data[:position] + noise + data[position + n_removed :]
    outcomes = []
    for step in (len(data), 1):
        response = HandshakeResponse(KEY)
        try:
            for start in range(0, len(data), step):
                response.receive(data[start : start + step])
            outcomes.append((response.headers, response.rest))
        except HandshakeError as error:
            outcomes.append((error.status, ""))
    assert outcomes[0] == outcomes[1]
