"""A WebSocket by hand, both ends against each other over real sockets."""

import socket
import struct
import threading

import pytest

from tickwire.bench.bare import open_by_hand, send_requests, skip_replies
from tickwire.bench.fleet import send_in_turns
from tickwire.bench.raw_server import RawConnection
from tickwire.errors import TickwireError

REPLY = b'{"channel":"pong"}'


@pytest.fixture
def pair():
    """Give a client's socket and the server's end of it, with small buffers."""
    with socket.socket() as listener, socket.socket() as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(10.0)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        connected, _ = listener.accept()
        with connected:
            yield client, RawConnection(connected)


def reset(client):
    """Leave without a goodbye: the other end's next call fails."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_they_shake_hands_and_requests_of_any_length_are_answered(pair):
    client, server = pair
    opening = threading.Thread(target=open_by_hand, args=(client,))
    opening.start()
    server.shake_hands()
    opening.join()
    requests = [f'{{"subscription":"{"a" * n_bytes}"}}' for n_bytes in (1, 200)]
    send_requests(client, requests)
    while server.n_requests < 2:
        server.answer(1.0)
    skip_replies(client, 2)
    # A length of 64 bits, more than one read brings.
    sending = threading.Thread(
        target=client.sendall,
        args=(b"\x81\xff" + (70_000).to_bytes(8, "big") + bytes(4) + b"b" * 70_000,),
    )
    sending.start()
    while server.n_requests < 3:
        server.answer(1.0)
    sending.join()
    assert client.recv(100)[2:] == REPLY
    assert server.first_request == requests[0].encode()


@pytest.mark.parametrize(
    ("sent", "extensions", "why"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"", "left during the handshake"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"", "no Sec-WebSocket-Key"),
        (b"GET / HTTP/1.1\r\nSec-WebSocket-Key: A\r\n\r\n", b"permessage-deflate", "no extension"),
    ],
)
def test_a_client_that_opens_nothing_is_told(pair, sent, extensions, why):
    client, server = pair
    client.sendall(sent)
    client.close()
    with pytest.raises(TickwireError, match=why):
        server.shake_hands(extensions)


def test_a_client_that_breaks_off_is_closed_wherever_it_is_noticed(pair):
    client, server = pair
    reset(client)
    assert server.try_send(memoryview(b"x")) == 0
    assert server.is_closed


def test_a_client_that_breaks_off_is_closed_by_a_whole_send(pair):
    client, server = pair
    reset(client)
    server.send(b"x")
    assert server.is_closed


def test_a_client_that_breaks_off_is_closed_by_a_read(pair):
    client, server = pair
    reset(client)
    server.answer(1.0)
    assert server.is_closed


def test_a_server_that_leaves_is_an_error_of_the_reader(pair):
    client, server = pair
    server.hang_up()
    with pytest.raises(ConnectionError, match="left"):
        skip_replies(client, 1)


def test_a_client_that_reads_late_gets_all_and_its_requests_are_answered(pair):
    client, server = pair
    data = bytes(range(256)) * 8192  # more than the sockets hold
    while server.try_send(memoryview(data)):
        pass  # until they are full
    got = []

    def read_late():
        client.sendall(b"\x81\x82\0\0\0\0{}")
        while not server.n_requests:
            got.append(client.recv(1))  # one byte makes no room: nothing is taken meanwhile
        while chunk := client.recv(1 << 16):
            got.append(chunk)

    reading = threading.Thread(target=read_late)
    reading.start()
    blocked_s = send_in_turns([server], [iter([memoryview(data)])])
    server.hang_up()
    reading.join()
    received = b"".join(got)
    assert blocked_s > 0
    assert received.endswith(data[-1000:])
    assert received.count(REPLY) == 1
