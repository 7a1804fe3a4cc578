from __future__ import annotations

import pytest

from lablib import viz
from lablib.gpu.cache_lines import Cache, history

COLUMN = [0, 256, 512, 0, 256, 64]


def test_the_cache_is_described_and_stepped_through():
    picture = viz.cache_fill(history(COLUMN, Cache(256, ways=2)), sets=2, ways=2)
    assert repr(picture) == (
        "6 accesses to a cache of 2 sets with 2 ways: 0 hits, 6 misses. It never held more than 3 of 4 lines."
    )
    assert len(picture.figure.frames) == 6
    labels = [step.label for step in picture.figure.layout.sliders[0].steps]
    assert labels[2] == "3: line 8: miss, and line 0 is thrown out" and labels[0] == "1: line 0: miss"


def test_a_line_keeps_its_way_until_it_is_thrown_out():
    picture = viz.cache_fill(history([0, 128, 0, 256], Cache(256, ways=2)), sets=2, ways=2)
    texts = [list(frame.data[0].text) for frame in picture.figure.frames]
    assert texts[1] == ["line 0", "line 2<br>miss", "empty", "empty"]
    assert texts[2] == ["line 0<br>hit", "line 2", "empty", "empty"]
    assert texts[3] == ["line 0", "line 4<br>miss", "empty", "empty"]


def test_a_history_of_another_cache_is_refused():
    steps = history(COLUMN, Cache(256, ways=2))
    with pytest.raises(ValueError, match="not that of a cache with 4 sets of 2 ways"):
        viz.cache_fill(steps, sets=4, ways=2)
    with pytest.raises(ValueError, match="needs an access and 1 to 16 sets"):
        viz.cache_fill([], sets=1, ways=1)


def test_the_queue_counts_those_who_are_there():
    runs = {"a": {"arrivals": [0, 10, 20], "latencies": [100, 20, 20]}, "b": {"arrivals": [5], "latencies": [5000]}}
    picture = viz.queue_latency(runs, bound=1000)
    assert repr(picture) == (
        "Latency under load, bound 1 ms. a: 99th percentile 100 µs, 0% late, at most 3 queries in the system. "
        "b: 99th percentile 5 ms, 100% late, at most 1 queries in the system."
    )
    first = picture.figure.frames[0].data
    assert list(first[0].y) == [0.02, 0.02, 0.1] and max(first[3].y) == 3
    assert "meets the bound" in first[2].text[0] and "misses" in picture.figure.frames[1].data[2].text[0]


def test_runs_without_queries_are_refused():
    with pytest.raises(ValueError, match="needs a run"):
        viz.queue_latency({}, bound=1)
    with pytest.raises(ValueError, match="the run 'a' needs one latency for each"):
        viz.queue_latency({"a": {"arrivals": [1, 2], "latencies": [1]}}, bound=1)
