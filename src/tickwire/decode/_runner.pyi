from typing import Self, final

from tickwire.decode._walk import Walker

@final
class ScriptRunner:
    def __new__(cls, walker: Walker) -> Self: ...
