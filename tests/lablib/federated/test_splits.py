from __future__ import annotations

import pytest
import torch

from lablib.federated.splits import dirichlet_split, label_counts

LABELS = torch.arange(600) % 6


def test_every_example_goes_to_one_client():
    parts = dirichlet_split(LABELS, 7, 0.2, seed=3)
    assert torch.cat(parts).sort().values.tolist() == list(range(600))
    assert all((part.diff() > 0).all() for part in parts)


def test_a_small_alpha_skews_and_a_large_one_does_not():
    even, skewed = (label_counts(LABELS, dirichlet_split(LABELS, 5, a), 6) for a in (1000.0, 0.1))
    assert (even - 20).abs().max() < 6
    assert (skewed == 0).float().mean() > 0.2


def test_equal_seeds_give_equal_splits():
    one, same, other = (dirichlet_split(LABELS, 4, 1.0, seed=s) for s in (1, 1, 2))
    assert all(map(torch.equal, one, same)) and not all(map(torch.equal, one, other))


def test_everybody_gets_the_least():
    assert min(map(len, dirichlet_split(LABELS, 10, 0.1, least=8))) >= 8


@pytest.mark.parametrize(
    ("alpha", "least", "sentence"), [(0.0, 1, "needs a positive one"), (0.01, 101, "fewer than 101 of 600 examples")]
)
def test_what_cannot_be_is_refused(alpha, least, sentence):
    with pytest.raises(ValueError, match=sentence):
        dirichlet_split(LABELS, 6, alpha, least=least)


def test_counts_are_of_clients_and_classes():
    counts = label_counts(torch.tensor([0, 2, 2, 1]), [torch.tensor([0, 1, 2]), torch.tensor([3])], 4)
    assert counts.tolist() == [[1, 0, 2, 0], [0, 1, 0, 0]]
