"""Follows what ends in the ledger: each look gives what is new, and reads little else.

A transaction may become visible later than the moment that it wrote. So each look goes back a while
behind the newest moment seen, and leaves out what it knows from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Generic, Protocol, TypeVar

PAGE = 10_000
"""Documents a question. SecantusDB takes as long for a few of them as for all that follow, so that
small pages would make a long past take many times as long."""
OVERLAP = timedelta(minutes=5)
"""Longer than a transaction lives: MongoDB ends it after 60 seconds, our own code after 90."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Ended(Protocol):
    """Anything that ended once, and stays as it is."""

    @property
    def id(self) -> str:
        """Its key."""

    @property
    def at(self) -> datetime:
        """When it ended."""


T = TypeVar("T", bound=Ended)
Fetch = Callable[[datetime, int], Sequence[T]]
"""Gives at most so many that ended at that moment or later, the first ones first."""


class Following(Generic[T]):
    """One collection, followed from its beginning."""

    def __init__(self, fetch: Fetch[T], page: int = PAGE) -> None:
        self._fetch = fetch
        self._page = page
        self._since = _BEGINNING
        self._known: dict[str, datetime] = {}

    def new(self) -> Iterator[list[T]]:
        """What was not seen before, a page at a time; ends when nothing more is there now."""
        page = self._page
        while True:
            found = self._fetch(self._since, page)
            fresh = [item for item in found if item.id not in self._known]
            self._remember(fresh, full=len(found) == page)
            yield fresh
            if len(found) < page:
                return
            # A page of one single moment, all of it known: only a larger one leads on.
            page = page if fresh else page * 2

    def _remember(self, fresh: Sequence[T], *, full: bool) -> None:
        self._known.update((item.id, item.at) for item in fresh)
        newest = max(self._known.values(), default=self._since)
        self._since = newest if full else max(self._since, newest - OVERLAP)
        self._known = {id_: at for id_, at in self._known.items() if at >= self._since}
