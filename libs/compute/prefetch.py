"""Reads ahead in a thread, so that the two sides of a stream work at the same time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_END = object()


class Prefetched(Generic[T]):
    """An iterator over `source`, which a thread of its own drives, at most `depth` items ahead.

    An exception of the source is raised to the reader. `close` ends the thread and waits for it.
    """

    def __init__(self, source: Iterable[T], depth: int = 2) -> None:
        self._source = source
        self._items: queue.Queue[object] = queue.Queue(maxsize=depth)
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._drive, name="prefetch", daemon=True)
        self._thread.start()

    def _drive(self) -> None:
        try:
            for item in self._source:
                if not self._put(item):
                    return
        except BaseException as error:  # noqa: BLE001  handed to the reader, who raises it
            self._failure = error
        self._put(_END)

    def _put(self, item: object) -> bool:
        while not self._stopped.is_set():
            try:
                self._items.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[T]:
        while (item := self._items.get()) is not _END:
            yield item  # type: ignore[misc]  # only items of the source and _END are put
        if self._failure is not None:
            raise self._failure

    @property
    def is_running(self) -> bool:
        """Whether the source has not come to its end yet."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop reading ahead; what was read and not taken is dropped."""
        self._stopped.set()
        self._thread.join()

    def __enter__(self) -> Prefetched[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
