from typing import Self, final

from tickwire.decode._draft import Draft

@final
class RouteDraft:
    def __new__(cls, draft: Draft) -> Self: ...
