"""Exchanges whose messages have other shapes than the product's venues.

Rules of this package
---------------------
- Each module declares one exchange with the words of `tickwire.decode.plan`, or reads a venue's own
  declaration (`MESSAGES`), names the captures to decode (`CAPTURES`) and says in plain Python what
  rows a message gives (`rows_of`: None where it gives none, else the table and the values of each
  row).
- A plan has no state of its own: where a venue names a symbol once and a number afterwards
  (Bitfinex's chanId), the number's text is the symbol here; to translate it is the session's work.
"""
