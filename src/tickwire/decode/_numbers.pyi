from typing import final

@final
class Numbers:
    """The numbers of one connection."""

    def __len__(self) -> int: ...
    def put(self, number: int, code: int) -> None:
        """Let a number mean a symbol from now on."""
    def find(self, number: int) -> int | None:
        """Give the code of the symbol that has a number; None: none has."""
