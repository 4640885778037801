"""Order books from book rows: continuity and the splice of a snapshot.

Knows nothing of: sockets. Words: level, delta, snapshot, continuity, splice.
Its C part: ext/tickwire/book.
"""

from tickwire.book._splice import BookSplice

__all__ = ["BookSplice"]
