from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablib.serving import batching, loadgen


def greedy(now, waiting, service, bound):
    return min(len(waiting), len(service)), None


def pairs(now, waiting, service, bound):
    return (2, None) if len(waiting) > 1 or now >= waiting[0] + bound else (0, waiting[0] + bound)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 6), st.integers(1, 30))
def test_a_greedy_server_answers_everybody_once_and_never_idles_while_one_waits(gaps, most, start):
    arrivals = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    service = [start + n for n in range(1, most + 1)]
    served = batching.simulate(greedy, arrivals, service, 100)
    assert sum(size for _, size in served.batches) == len(served.latencies) == len(arrivals)
    assert min(served.latencies) >= service[0] and served.held == 0
    assert served.busy == sum(service[size - 1] for _, size in served.batches)
    ends = [begin + service[size - 1] for begin, size in served.batches]
    assert all(begin >= end for (begin, _), end in zip(served.batches[1:], ends, strict=False))
    assert max(a + latency for a, latency in zip(arrivals, served.latencies, strict=True)) == ends[-1]


def test_a_policy_that_waits_is_asked_when_the_next_query_comes_and_when_it_wakes():
    asked = []

    def spy(now, waiting, service, bound):
        asked.append((now, list(waiting)))
        size, wake = pairs(now, waiting, service, bound)
        return min(size, len(waiting)), wake

    served = batching.simulate(spy, [0, 10, 30], [5, 6], 12)
    assert asked == [(0, [0]), (10, [0, 10]), (30, [30]), (42, [30])]
    assert served.latencies == [16, 6, 17]
    assert (served.held, served.busy, served.batches) == (22, 11, [(10, 2), (42, 1)])


def test_the_backlog_is_what_is_unfinished_at_the_last_arrival():
    assert batching.simulate(greedy, [0, 1, 2, 3], [10], 5).backlog == 4
    assert batching.simulate(greedy, [0, 100], [10], 5).backlog == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (3, "it returned 3"), ((2, None), "cannot run 2 of them"), ((-1, None), "cannot run -1"),
        ((0, None), "until None"),
        ((0, 0), "expected a later time"), ((0, 10**9), "company that never comes"), ((1.0, None), r"cannot run 1\.0"),
    ],
)  # fmt: skip
def test_a_policy_that_asks_for_what_there_is_not_is_told(answer, words):
    with pytest.raises(ValueError, match=words):
        batching.simulate(lambda *_: answer, [0], [5, 6, 7], 20)


def test_percentiles_are_values_that_occurred():
    assert batching.percentile(range(1, 101), 0.99) == 99
    assert batching.percentile([4], 0.01) == 4


def test_the_real_worker_answers_everybody_and_batches():
    sizes = []

    def predict(indices):
        sizes.append(len(indices))
        return [index * 2 for index in indices]

    policy = lambda now, waiting, service, bound: (  # noqa: E731
        (min(len(waiting), 4), None) if len(waiting) > 2 or now >= waiting[0] + bound else (0, waiting[0] + bound)
    )
    server = batching.worker(policy, predict, [100] * 4, 20_000)
    result = loadgen.run("Server", server, 64, seconds=0.3, rate=400, bound=5.0).result
    assert sum(sizes) == result["queries"] and max(sizes) > 1 and max(sizes) <= 4


def test_service_times_never_fall_and_fill_the_gaps():
    times = batching.measured_service(lambda indices: indices, [1, 2, 8])
    assert len(times) == 8 and times == sorted(times) and times[0] >= 1
