from typing import final

from tickwire.book import BookSplice
from tickwire.decode._quarantine import Quarantine
from tickwire.decode._routing import Router
from tickwire.ring import Dictionary

@final
class BookDecoder:
    """The part of a source's decoder that spliced books need."""

    def __init__(
        self,
        splice: BookSplice,
        router: Router,
        quarantine: Quarantine,
        symbols: Dictionary,
        venue_code: int,
    ) -> None: ...
