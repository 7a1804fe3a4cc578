from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from lablib.cloud import autoscale, prices

SERVICE = {"capacity": 10, "startup": 3, "bound": 1, "period": 50}


def test_a_replica_is_paid_from_now_on_and_serves_after_its_start() -> None:
    run = autoscale.play(lambda demand, *_: 1 if len(demand) < 2 else 2, [0] * 8, SERVICE)
    assert run.ready == [1, 1, 1, 1, 1, 2, 2, 2]
    assert run.rented == [1, 1, 2, 2, 2, 2, 2, 2] and run.cost == sum(run.rented)


def test_who_waits_longer_than_the_bound_is_late_and_who_is_never_served_too() -> None:
    run = autoscale.play(lambda *_: 1, [30, 0, 0, 0, 15], SERVICE)
    assert run.waiting == [20, 10, 0, 0, 5] and run.late == 10 + 5 and run.requests == 45


def test_machines_that_are_taken_are_missed_until_others_have_started() -> None:
    run = autoscale.play(lambda *_: 2, [0] * 7, SERVICE, taken=[1, 1])
    assert run.ready == [2, 0, 0, 0, 2, 2, 2] and run.cost == 14


def test_replicas_that_start_are_returned_first() -> None:
    wanted = iter([1, 3, 2, 1, 1, 1, 1])
    seen = []

    def policy(demand, waiting, ready, starting, service):
        seen.append((ready, starting))
        return next(wanted)

    run = autoscale.play(policy, [0] * 6, SERVICE)
    assert run.rented == [3, 2, 1, 1, 1, 1] and set(run.ready) == {1}
    assert seen[2] == (1, [2, 2])


def test_the_policy_sees_the_past_alone() -> None:
    lengths = []
    autoscale.play(lambda demand, *_: lengths.append(len(demand)) or 1, [1] * 4, SERVICE, history=[7, 7])
    assert lengths == [2, 2, 3, 4, 5]


@pytest.mark.parametrize("answer", [-1, 1.5, None])
def test_a_policy_that_answers_no_number_of_replicas_is_told(answer) -> None:
    with pytest.raises(ValueError, match="expected an int from 0 up"):
        autoscale.play(lambda *_: answer, [1], SERVICE)


def test_demand_has_its_peak_where_it_is_asked_for() -> None:
    demand = np.array(autoscale.daily_demand(4, 100, 10, 1000, np.random.default_rng(0), peak=0.3)).reshape(4, 100)
    assert all(abs(int(day.argmax()) - 30) < 10 for day in demand) and demand.min() < 40


def test_prices_say_where_and_when() -> None:
    for offer in prices.OFFERS:
        assert 0 < offer.dollars < 50 and offer.source.startswith("https://") and offer.title
        assert date.fromisoformat(offer.read).year >= 2026
