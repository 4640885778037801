from typing import final

from tickwire.book import BookChecksums, BookFollower
from tickwire.decode._stage import Stage
from tickwire.decode.program import Program
from tickwire.ring import Dictionary

@final
class ChainDecoder:
    """The part of a source's decoder that books without a REST snapshot need."""

    def __init__(
        self,
        follower: BookFollower,
        checksums: BookChecksums | None,
        stage: Stage,
        program: Program,
        sides: Dictionary,
    ) -> None: ...
