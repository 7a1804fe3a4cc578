from __future__ import annotations

import pytest
import torch

from lablib.federated.digits_app import digits_apps, initial_vector, weighted_mean
from lablib.federated.grid import run_in_process

SHORT = {"rounds": 3, "alpha": 1.0, "epochs": 2, "lr": 0.1}
LONG = {"rounds": 14, "alpha": 1.0, "epochs": 3, "lr": 0.1}
BUDGET = 3400


def top_k(update, residual):
    wanted = update + residual
    places = wanted.abs().topk(BUDGET // 4).indices
    values = wanted[places].half()
    wanted[places] -= values.float()
    return {"values": values, "places": places.to(torch.uint16)}, wanted


def dense(sent):
    update = torch.zeros(19_210)
    update[sent["places"].long()] = sent["values"].float()
    return update


def test_a_mean_is_weighted_by_examples():
    found = weighted_mean([torch.tensor([1.0]), torch.tensor([4.0])], [30, 10])
    assert found.tolist() == [1.75]


def test_training_learns_and_repeats_itself():
    one, other = (run_in_process(*digits_apps(), 4, SHORT)[0] for _ in range(2))
    assert one == other
    assert one["accuracy"][-1] > 0.7 and one["loss"][-1] < one["loss"][0] / 2


def test_every_process_starts_from_the_same_parameters():
    torch.manual_seed(5)
    assert initial_vector().shape == (19_210,) and torch.equal(initial_vector(), initial_vector())


def test_a_proximal_term_keeps_clients_near():
    free, tied = (run_in_process(*digits_apps(), 3, {**SHORT, "rounds": 1, "mu": mu})[0] for mu in (0.0, 5.0))
    start = initial_vector().double().norm().item()
    assert abs(tied["norm"] - start) < abs(free["norm"] - start)


def test_the_residual_stays_with_its_client():
    seen = []

    def encode(update, residual):
        seen.append(residual.norm().item())
        return {"update": update}, torch.full_like(update, float(len(seen)))

    run_in_process(*digits_apps(encode), 2, {**SHORT, "rounds": 2})
    assert seen == pytest.approx([0, 0, 19_210**0.5, 2 * 19_210**0.5])


def test_a_residual_that_becomes_zero_is_not_the_old_one_again():
    seen = []

    def encode(update, residual):
        seen.append(residual.norm().item())
        return {"update": update}, torch.full_like(update, float(len(seen) == 1))

    run_in_process(*digits_apps(encode), 1, SHORT)
    assert seen == pytest.approx([0, 19_210**0.5, 0])


def test_five_percent_of_the_bytes_cost_at_most_a_point():
    accuracy, sent = {}, {}
    for name, codec in (("plain", ()), ("top-k", (top_k, dense))):
        report, grid = run_in_process(*digits_apps(*codec), 10, LONG)
        accuracy[name] = sum(report["accuracy"][-4:]) / 4
        sent[name] = sum(grid.uplink.values())
    assert 0.045 < sent["top-k"] / sent["plain"] <= 0.05
    assert accuracy["top-k"] >= accuracy["plain"] - 0.01 and accuracy["plain"] > 0.94, accuracy
