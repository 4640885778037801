import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import NegotiationError as TheirRefusal
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.headers import build_extension, parse_extension

from tickwire.errors import HandshakeError
from tickwire.wire import Deflate, DeflateOffer, HandshakeResponse, build_request, parse_url
from tickwire.wire.compression import NegotiationError, parse_extensions
from tickwire.wire.handshake import accept_extensions, accept_of

BITS = st.integers(9, 15)
OFFERS = st.builds(
    DeflateOffer,
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    server_max_window_bits=st.none() | BITS,
    client_max_window_bits=st.booleans() | BITS,
)
NAMES = [
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
]
PARAMETERS = st.lists(
    st.tuples(
        st.sampled_from([*NAMES, "x", "Server_no_context_takeover"]),
        st.none() | st.sampled_from(["8", "9", "10", "12", "15", "16", "7", "09", "0", "+9", "x"]),
    ),
    max_size=4,
)


def theirs(offer):
    """The same offer, of another library."""
    bits = offer.client_max_window_bits
    return ClientPerMessageDeflateFactory(
        server_no_context_takeover=offer.server_no_context_takeover,
        client_no_context_takeover=offer.client_no_context_takeover,
        server_max_window_bits=offer.server_max_window_bits,
        client_max_window_bits=None if bits is False else bits,
    )


def as_deflate(extension):
    return Deflate(
        server_no_context_takeover=extension.remote_no_context_takeover,
        client_no_context_takeover=extension.local_no_context_takeover,
        server_max_window_bits=extension.remote_max_window_bits,
        client_max_window_bits=extension.local_max_window_bits,
    )


@given(OFFERS)
def test_offers_are_worded_as_another_library_does(offer):
    expected = build_extension([("permessage-deflate", theirs(offer).get_request_params())])
    assert offer.header() == expected


@given(OFFERS, PARAMETERS)
def test_answers_are_judged_as_another_library_does(offer, parameters):
    header = build_extension([("permessage-deflate", parameters)])
    try:
        expected = as_deflate(theirs(offer).process_response_params(parameters, []))
    except TheirRefusal as refusal:
        # It refuses a window of 8, with which zlib cannot deflate; we then send uncompressed.
        if "use 9" not in str(refusal):
            with pytest.raises(NegotiationError):
                offer.accept([header])
            return
        assert offer.accept([header]).client_max_window_bits == 8
    else:
        assert offer.accept([header]) == expected


@given(OFFERS, st.booleans(), st.booleans(), st.none() | BITS, st.none() | BITS)
def test_what_another_library_answers_is_understood(
    offer, server_alone, client_alone, server_bits, client_bits
):
    factory = ServerPerMessageDeflateFactory(server_alone, client_alone, server_bits, client_bits)
    ((name, asked),) = parse_extension(offer.header())
    answered, extension = factory.process_request_params(asked, [])
    assert name == "permessage-deflate"
    agreed = offer.accept([build_extension([(name, answered)])])
    assert agreed.server_no_context_takeover == extension.local_no_context_takeover
    assert agreed.server_max_window_bits == extension.local_max_window_bits
    # What the client limits by itself it need not be granted.
    assert agreed.client_no_context_takeover >= extension.remote_no_context_takeover
    assert agreed.client_max_window_bits <= extension.remote_max_window_bits


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("x-webkit-deflate-frame", "not offered"),
        ("permessage-deflate, permessage-deflate", "more than one"),
        ("permessage-deflate, permessage-bzip2", "more than one"),
        ("permessage-deflate; unknown", "unknown parameter"),
        ("permessage-deflate; server_no_context_takeover=1", "has a value"),
        ("permessage-deflate; client_no_context_takeover=true", "has a value"),
        (
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "stands twice",
        ),
        ("permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", "twice"),
        ("permessage-deflate; server_max_window_bits", "not a number from 8 to 15"),
        ("permessage-deflate; client_max_window_bits", "not a number from 8 to 15"),
        ("permessage-deflate; server_max_window_bits=7", "not a number from 8 to 15"),
        ("permessage-deflate; server_max_window_bits=16", "not a number from 8 to 15"),
        ("permessage-deflate; server_max_window_bits=010", "not a number from 8 to 15"),
        ("permessage-deflate; server_max_window_bits=155", "not a number from 8 to 15"),
        ("permessage-deflate; client_max_window_bits=8x", "not a number from 8 to 15"),
        ("permessage-deflate; server_max_window_bits=\u0661\u0660", "malformed"),
        ('permessage-deflate; server_max_window_bits=""', "malformed"),
        ('permessage-deflate; server_max_window_bits="1 0"', "malformed"),
        ('permessage-deflate; server_max_window_bits="10', "malformed"),
        ("permessage-deflate;", "malformed"),
        (";permessage-deflate", "malformed"),
        ("permessage-deflate; , ", "malformed"),
        ("permessage-deflate server_no_context_takeover", "malformed"),
        ("permessage-deflate=1", "malformed"),
        ("permessage-deflate; =10", "malformed"),
    ],
)
def test_answers_that_fail_the_handshake(value, words):
    with pytest.raises(NegotiationError, match=words):
        DeflateOffer().accept([value])


def test_what_was_asked_for_must_be_granted():
    plain = ["permessage-deflate"]
    with pytest.raises(NegotiationError, match="not granted"):
        DeflateOffer(server_no_context_takeover=True).accept(plain)
    with pytest.raises(NegotiationError, match="not granted"):
        DeflateOffer(server_max_window_bits=10).accept(plain)
    with pytest.raises(NegotiationError, match="not granted"):
        DeflateOffer(server_max_window_bits=10).accept(
            ["permessage-deflate; server_max_window_bits=11"]
        )
    with pytest.raises(NegotiationError, match="was not offered"):
        DeflateOffer(client_max_window_bits=False).accept(
            ["permessage-deflate; client_max_window_bits=10"]
        )
    with pytest.raises(NegotiationError, match="above the offer"):
        DeflateOffer(client_max_window_bits=9).accept(
            ["permessage-deflate; client_max_window_bits=10"]
        )


def test_a_server_may_limit_itself_unasked():
    # Binance does: server_max_window_bits=15.
    assert DeflateOffer().accept(["permessage-deflate; server_max_window_bits=15"]) == Deflate()
    assert DeflateOffer().accept(
        ['permessage-deflate ;\tserver_no_context_takeover; client_max_window_bits = "1\\0"']
    ) == Deflate(server_no_context_takeover=True, client_max_window_bits=10)


def test_no_answer_is_no_compression():
    for values in ([], [""], ["", ""], [",", " ,\t, "]):
        assert DeflateOffer().accept(values) is None
        assert accept_extensions(None, values) is None


def test_elements_of_a_list_may_be_empty():
    # RFC 9110 section 5.6.1.2; RFC 6455 section 9.1 has such a list.
    for value in ("permessage-deflate,", ", ,permessage-deflate", ",permessage-deflate ,\t, "):
        assert DeflateOffer().accept([value]) == Deflate()
    assert parse_extensions([", a; b=1 ,, c,"]) == [("a", [("b", "1")]), ("c", [])]


def test_fields_of_one_name_are_one_list():
    fields = ["a; b=1", "", 'c; d; e="f", g']
    expected = [("a", [("b", "1")]), ("c", [("d", None), ("e", "f")]), ("g", [])]
    assert parse_extensions(fields) == expected


@pytest.mark.parametrize("bits", [0, 7, 16])
@pytest.mark.parametrize("name", ["server_max_window_bits", "client_max_window_bits"])
def test_what_makes_no_offer(name, bits):
    if name.startswith("client") and bits == 0:
        bits = -1
    with pytest.raises(ValueError, match="must be 8 to 15"):
        DeflateOffer(**{name: bits})


def answer_to(key, extensions):
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_of(key)}",
        *(f"Sec-WebSocket-Extensions: {value}" for value in extensions),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_the_handshake_offers_and_accepts():
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    offer = DeflateOffer(server_max_window_bits=12)
    request = build_request(parse_url("ws://host/"), key, compression=offer)
    field = b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12; "
    assert field + b"client_max_window_bits\r\n" in request
    answer = HandshakeResponse(key, compression=offer)
    assert answer.receive(answer_to(key, ["permessage-deflate; server_max_window_bits=9"]))
    assert answer.compression == Deflate(server_max_window_bits=9)
    answer = HandshakeResponse(key, compression=offer)
    assert answer.receive(answer_to(key, []))
    assert answer.compression is None


@pytest.mark.parametrize(
    ("offer", "extensions"),
    [
        (None, ["permessage-deflate"]),
        (DeflateOffer(), ["permessage-deflate", "permessage-deflate"]),
        (DeflateOffer(), ["permessage-deflate; x"]),
    ],
)
def test_the_handshake_fails_where_the_answer_does_not_fit(offer, extensions):
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    answer = HandshakeResponse(key, compression=offer)
    with pytest.raises(HandshakeError) as refused:
        answer.receive(answer_to(key, extensions))
    assert refused.value.status == 101


def test_without_compression_nothing_is_offered():
    request = build_request(parse_url("ws://host/"), "key")
    assert b"Extensions" not in request
    assert not list(itertools.filterfalse(str.isascii, request.decode()))
