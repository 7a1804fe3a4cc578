"""Real processes, and a signal that nobody can catch."""

from __future__ import annotations

import time

import pytest

from lablib.cloud import kills


def test_a_function_is_killed_or_ends() -> None:
    assert kills.run_and_kill(lambda: time.sleep(60), after=0.05)
    assert not kills.run_and_kill(lambda: None, after=30)


def test_a_function_that_fails_is_no_kill() -> None:
    with pytest.raises(RuntimeError, match="exit code 1"):
        kills.run_and_kill(lambda: 1 / 0, after=30)


def test_a_rank_that_is_killed_under_torchrun_loses_and_repeats_nothing() -> None:
    report = kills.torchrun_with_kill(samples=25, batch=4, ranks=2)
    assert report["counts"] == [1] * 25 and report["attempt"] == 1
    assert 0 < report["resumed_at"] < report["steps"] == 7


class Dealer:
    """The least that Dask needs: chunks by number, leases that are never given twice."""

    def __init__(self, chunks: int) -> None:
        self.free, self.open, self.counted, self.given = list(range(chunks)), {}, [], 0

    def take(self, worker):
        if not self.free:
            return None
        self.given += 1
        self.open[self.given] = worker, self.free.pop(0)
        return self.given, [self.open[self.given][1]]

    def done(self, lease):
        found = self.open.pop(lease, None)
        self.counted += [found[1]] if found else []
        return found is not None

    def lost(self, worker):
        for lease in [lease for lease, (holder, _) in self.open.items() if holder == worker]:
            self.free.append(self.open.pop(lease)[1])

    def finished(self):
        return not self.free and not self.open


def slow(ids):
    time.sleep(0.02)
    return ids[0]


def test_dask_workers_that_are_killed_lose_and_repeat_nothing() -> None:
    told = kills.dask_with_kills(Dealer(30), slow, kills=1)
    assert told["killed"] == 1 and sorted(told["results"]) == list(range(30))
