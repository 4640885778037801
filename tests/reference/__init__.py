"""An independent decoder in plain Python: what the compiled one is judged by.

Rules of this package
---------------------
- It is written from the venues' documents and from the rules of the tables, with `json.loads` and
  `float`, and shares no code with the decoder: not the plans, not the scanner, not the splice.
- Rows are kept by column. Times are integers in ns; null is None.
"""

from tests.reference.binance import BinanceReference
from tests.reference.captures import (
    Message,
    RestAnswer,
    capture_path,
    read_messages,
    read_rest,
)
from tests.reference.compare import compare, first_difference
from tests.reference.disguise import disguise
from tests.reference.hyperliquid import HyperliquidReference
from tests.reference.rows import BadMessageError, Columns, Number, parse

__all__ = [
    "BadMessageError",
    "BinanceReference",
    "Columns",
    "HyperliquidReference",
    "Message",
    "Number",
    "RestAnswer",
    "capture_path",
    "compare",
    "disguise",
    "first_difference",
    "parse",
    "read_messages",
    "read_rest",
]
