from typing import final

from tickwire.decode._walk import Walker

@final
class InnerDecoder:
    """The part of a source's decoder that reads messages inside of others."""

    def __init__(self, walker: Walker, most: int) -> None: ...
