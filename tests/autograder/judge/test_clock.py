"""Time limits hold whatever the judge is doing."""

from __future__ import annotations

import sys
import time

import pytest

from autograder.judge.clock import OutOfTime, time_limit


class Slow:
    """Its destructor takes longer than the limit, and drops whatever is raised in it."""

    def __del__(self) -> None:
        time.sleep(0.3)


def test_a_limit_that_rings_inside_a_destructor_rings_again(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped = []
    monkeypatch.setattr(sys, "unraisablehook", dropped.append)
    begin = time.monotonic()
    with pytest.raises(OutOfTime, match="the test took more than 0 s"), time_limit(0.1, "the test"):
        Slow()
        while time.monotonic() < begin + 20:
            pass
    assert [one.exc_type for one in dropped] == [OutOfTime]


def test_a_limit_around_another_stays_in_force() -> None:
    with pytest.raises(OutOfTime, match="all took"), time_limit(0.4, "all"):
        with pytest.raises(OutOfTime, match="a part took"), time_limit(0.1, "a part"):
            time.sleep(20)
        time.sleep(20)


def test_nothing_rings_after_the_block() -> None:
    with time_limit(0.1, "the test"):
        pass
    time.sleep(0.3)
