import pytest

from tickwire.wire._assembly import Assembly


def test_pieces_are_put_together_in_order():
    assembly = Assembly(1 << 20)
    pieces = [bytes([i]) * (i * 37) for i in range(100)]
    for piece in pieces:
        assert assembly.add(piece)
    assert assembly.take() == b"".join(pieces)
    assert assembly.take() == b""


@pytest.mark.parametrize("limit", [0, 1, 4096, 5000, 1 << 20])
def test_the_limit_holds_to_the_byte(limit):
    assembly = Assembly(limit)
    assert assembly.add(bytes(limit))
    assert not assembly.add(b"x")
    assert assembly.allocated_bytes <= max(limit, 1)
    assert assembly.add(b"")
    assert assembly.take() == bytes(limit)


def test_it_grows_by_what_comes():
    assembly = Assembly(1 << 30)
    assert assembly.allocated_bytes == 0
    for size in range(1000, 100_000, 1000):
        assert assembly.add(bytes(1000))
        assert assembly.allocated_bytes <= max(4096, 2 * size)


def test_a_big_message_does_not_keep_its_memory():
    assembly = Assembly(1 << 24)
    assembly.add(bytes(100_000))
    assembly.take()
    assert assembly.allocated_bytes >= 100_000  # an ordinary one does
    assembly.add(bytes(3_000_000))
    assembly.take()
    assert assembly.allocated_bytes == 0
    assert assembly.add(b"again")
    assert assembly.take() == b"again"
