"""Reading ahead: all that comes, errors too, and no thread that stays."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from libs.compute.prefetch import Prefetched


def test_everything_comes_in_its_order() -> None:
    with Prefetched(range(100)) as ahead:
        assert list(ahead) == list(range(100))
        assert not ahead.is_running


def test_an_error_of_the_source_reaches_the_reader_after_what_came_before() -> None:
    def source():
        yield 1
        raise LookupError("cut off")

    seen = []
    with Prefetched(source()) as ahead, pytest.raises(LookupError, match="cut off"):
        seen.extend(ahead)
    with Prefetched(source()) as ahead, pytest.raises(LookupError, match="cut off"):
        for item in ahead:
            seen.append(item)
    assert seen[-1] == 1


def test_it_reads_no_further_ahead_than_it_may() -> None:
    read = []

    def source():
        for number in itertools.count():
            read.append(number)
            yield number

    with Prefetched(source(), depth=2) as ahead:
        next(iter(ahead))
        time.sleep(0.3)
        assert len(read) <= 5


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()
    with Prefetched(itertools.count()) as ahead:
        next(iter(ahead))
    assert threading.active_count() == before
