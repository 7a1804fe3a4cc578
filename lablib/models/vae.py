"""A variational autoencoder for the digits of 8 × 8.

    x ──encoder──> μ, log σ²     z = μ + σ · ε,  ε ~ N(0, I)     z ──decoder──> a logit for each pixel

The evidence lower bound says how well a code explains an image, less what the code costs:

    log p(x) >= E[log p(x | z)] - KL(N(μ, σ²) || N(0, I))

A pixel counts black dots in a square of 16, so its likelihood is binomial with 16 trials: no constant to tune, and the
bound is in nats that can be compared.

Source: Kingma and Welling, "Auto-Encoding Variational Bayes", arXiv:1312.6114, sections 2.3 and 3, appendix B.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["VAE", "elbo", "kl_to_standard_normal", "log_binomial"]

TRIALS = 16


def kl_to_standard_normal(mean: Float[Tensor, "B Z"], log_variance: Float[Tensor, "B Z"]) -> Float[Tensor, " B"]:
    """KL(N(mean, variance) || N(0, I)) in nats, in closed form.

    Examples
    --------
    >>> kl_to_standard_normal(torch.ones(1, 2), torch.zeros(1, 2))
    tensor([1.])
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)


def log_binomial(x: Float[Tensor, "B 1 H W"], logits: Float[Tensor, "B 1 H W"]) -> Float[Tensor, " B"]:
    """Log probability of images whose pixels, times 16, count successes in 16 trials, in nats."""
    count = x * TRIALS
    ways = math.lgamma(TRIALS + 1) - torch.lgamma(count + 1) - torch.lgamma(TRIALS - count + 1)
    # log p = -softplus(-l) and log (1 - p) = -softplus(l), exact where p rounds to 0 or 1.
    return (ways + count * logits - TRIALS * nn.functional.softplus(logits)).flatten(1).sum(dim=1)


class VAE(nn.Module):
    """Images to logits of their pixels, through a code of a few numbers.

    Examples
    --------
    >>> model = VAE()
    >>> logits, mean, log_variance = model(torch.zeros(3, 1, 8, 8))
    >>> logits.shape, mean.shape
    (torch.Size([3, 1, 8, 8]), torch.Size([3, 2]))
    """

    def __init__(self, side: int = 8, code: int = 2, hidden: int = 256) -> None:
        super().__init__()
        self.side, self.code = side, code
        pixels = side * side
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(pixels, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, 2 * code),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(code, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, pixels),
            nn.Unflatten(1, (1, side, side)),
        )  # fmt: skip

    def encode(self, x: Float[Tensor, "B 1 H W"]) -> tuple[Float[Tensor, "B Z"], Float[Tensor, "B Z"]]:
        """Mean and log variance of each image's code."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Float[Tensor, "B Z"]) -> Float[Tensor, "B 1 H W"]:
        """Logits of the pixels; their sigmoid is the mean image."""
        return self.decoder(z)

    def forward(
        self, x: Float[Tensor, "B 1 H W"], noise: Float[Tensor, "B Z"] | None = None
    ) -> tuple[Float[Tensor, "B 1 H W"], Float[Tensor, "B Z"], Float[Tensor, "B Z"]]:
        """Logits, mean and log variance; the code is drawn with ``noise``, standard normal unless given."""
        mean, log_variance = self.encode(x)
        noise = torch.randn_like(mean) if noise is None else noise
        return self.decode(mean + (0.5 * log_variance).exp() * noise), mean, log_variance


def elbo(
    model: VAE, x: Float[Tensor, "B 1 H W"], noise: Float[Tensor, "B Z"] | None = None
) -> Float[Tensor, " B"]:  # fmt: skip
    """Evidence lower bound of each image in nats, with one code drawn for each."""
    logits, mean, log_variance = model(x, noise)
    return log_binomial(x, logits) - kl_to_standard_normal(mean, log_variance)
