from __future__ import annotations

import math

import numpy as np
import pytest

from lablib.cloud import fleet


@pytest.mark.parametrize(("interval", "blocking", "background", "restart"), [(0.3, 0.05, 0.1, 0.02), (1.0, 0.2, 0, 0)])
def test_both_simulators_and_the_formula_agree(interval, blocking, background, restart) -> None:
    gaps = fleet.failure_gaps(40_000, 1.0, np.random.default_rng(0))
    fast = fleet.goodput(interval, blocking, background, restart, gaps)
    run = fleet.play(interval, blocking, background, restart, gaps.tolist())
    known = interval * math.exp(-restart - background) / math.expm1(interval + blocking)
    assert math.isclose(run.goodput, fast, rel_tol=1e-9)
    assert abs(fast / known - 1) < 0.02


def test_all_time_is_accounted_for_and_spans_follow_one_another() -> None:
    gaps = fleet.failure_gaps(50, 2.0, np.random.default_rng(1))
    run = fleet.play(0.3, 0.05, 0.1, 0.2, gaps)
    assert math.isclose(run.kept + run.lost + run.blocked + run.restarting, gaps.sum())
    assert all(math.isclose(one[2], two[1], abs_tol=1e-9) for one, two in zip(run.spans, run.spans[1:], strict=False))
    for kind, total in [("kept", run.kept), ("lost", run.lost), ("restart", run.restarting), ("blocked", run.blocked)]:
        assert math.isclose(sum(end - begin for one, begin, end in run.spans if one == kind), total)


def test_a_failure_during_a_restart_keeps_nothing() -> None:
    run = fleet.play(1.0, 0.1, 0.0, 5.0, [2.0])
    assert (run.kept, run.restarting, run.checkpoints) == (0.0, 2.0, 0)


def test_a_writer_that_falls_behind_is_refused() -> None:
    with pytest.raises(ValueError, match="falls behind"):
        fleet.goodput(1.0, 0.1, 2.0, 0.0, np.ones(3))
