from __future__ import annotations

import math

import pytest

from lablib.federated.privacy import renyi_divergence


def by_formula(q: float, sigma: float, order: int) -> float:
    """Equation 3.3 and the binomial sum after it, of arXiv:1908.10530."""
    terms = [
        math.comb(order, k) * (1 - q) ** (order - k) * q**k * math.exp(k * (k - 1) / (2 * sigma**2))
        for k in range(order + 1)
    ]
    return math.log(math.fsum(terms)) / (order - 1)


@pytest.mark.parametrize(("q", "sigma", "order"), [(0.1, 1.0, 2), (0.3, 2.0, 16), (0.01, 1.5, 20), (0.5, 4.0, 3)])
def test_integer_orders_are_those_of_the_formula(q, sigma, order):
    assert math.isclose(renyi_divergence(q, sigma, order), by_formula(q, sigma, order), rel_tol=1e-7)


def test_with_everybody_it_is_the_gaussian_mechanism():
    assert math.isclose(renyi_divergence(1.0, 0.7, 5.5), 5.5 / (2 * 0.49), rel_tol=1e-9)


def test_with_nobody_it_is_zero():
    assert abs(renyi_divergence(0.0, 1.0, 4.0)) < 1e-10


@pytest.mark.parametrize("bad", [(1.1, 1.0, 2.0), (0.5, 0.0, 2.0), (0.5, 1.0, 1.0)])
def test_what_is_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match="Expected q in"):
        renyi_divergence(*bad)
