"""Rényi differential privacy of the sampled Gaussian mechanism, by numerical integration.

The mechanism: each client takes part with probability q; the sum of the updates, none longer than 1, gets Gaussian
noise of standard deviation sigma. Whoever wants to know whether one client was there compares two densities,
N(0, sigma²) and (1 - q) N(0, sigma²) + q N(1, sigma²) (Mironov, Talwar, Zhang, "Rényi differential privacy of the
sampled Gaussian mechanism", arXiv:1908.10530, section 3). Their divergence is an
integral; this module computes it as one, so that a formula can be compared with it.
"""

from __future__ import annotations

import numpy as np

__all__ = ["renyi_divergence"]

_POINTS = 200_001


def renyi_divergence(q: float, sigma: float, order: float) -> float:
    """The Rényi divergence of the mixture from N(0, sigma²), in nats.

    Parameters
    ----------
    q
        Probability that a client takes part, in [0, 1].
    sigma
        Noise multiplier, positive.
    order
        Above 1.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    With everybody in each round it is the Gaussian mechanism's, order / (2 sigma²):

    >>> round(renyi_divergence(1.0, 2.0, 8.0), 9)
    1.0
    """
    if not (0 <= q <= 1 and sigma > 0 and order > 1):
        raise ValueError(f"Expected q in [0, 1], sigma > 0 and order > 1; got q={q}, sigma={sigma}, order={order}.")
    # The integrand is a sum of bells at 0, 1, …, order, each sigma wide.
    x = np.linspace(-40 * sigma, order + 40 * sigma, _POINTS)
    log_normal = -(x**2) / (2 * sigma**2) - np.log(sigma * np.sqrt(2 * np.pi))
    with np.errstate(divide="ignore"):
        log_ratio = np.logaddexp(np.log1p(-q), np.log(q) + (2 * x - 1) / (2 * sigma**2))
    terms = log_normal + order * log_ratio
    top = terms.max()
    # The trapezoidal rule converges exponentially for functions that vanish at both ends.
    return float((top + np.log(np.exp(terms - top).sum() * (x[1] - x[0]))) / (order - 1))
