"""The section `[books]`: full order books, kept from the rows of the table `book`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tickwire.config.section import Section
from tickwire.config.values import Seconds


class BooksSettings(Section):
    """`[books]`: order books are kept, with the tables `books` and `top`; without it, none is.

    Parameters
    ----------
    verify
        Books are held against their venue's oracle, such as quotes, which each source asks for as
        well.
    nbbo
        The table `nbbo` has the best bid and ask of each instrument over all venues.
    depth
        Levels of each side in the snapshots of the table `depth`; 0: there are none.
    depth_interval_s
        From one snapshot of a book to the next. One is taken at the first message past it.
    interval_s
        How often the table `books` has a row of each book whose state does not change.
    """

    verify: bool = False
    nbbo: bool = False
    depth: Annotated[int, Field(ge=0, le=1000)] = 0
    depth_interval_s: Seconds = 1.0
    interval_s: Seconds = 10.0
