"""The way back from noise to an image, in as many steps as one likes.

The network's ε̂(x_t, t) gives an estimate of x_0, and with it a step from t to any earlier s:

    x̂_0 = (x_t - √(1 - ᾱ_t) · ε̂) / √ᾱ_t
    x_s = √ᾱ_s · x̂_0 + √(1 - ᾱ_s - σ²) · ε̂ + σ · noise,   σ = η · √((1 - ᾱ_s)/(1 - ᾱ_t)) · √(1 - ᾱ_t/ᾱ_s)

η = 0 is DDIM: nothing is drawn after x_T. η = 1 with s = t - 1 is DDPM with the variance β̃_t. Each step costs one pass
of the network, so that quality has a price in FLOPs.

Source: Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239, equation 7; Song, Meng and
Ermon, "Denoising Diffusion Implicit Models", arXiv:2010.02502, equations 12 and 16.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lablib.models.diffusion import STEPS, signal_levels

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["sample", "step_back"]


def step_back(
    x: Float[Tensor, "B C H W"], predicted: Float[Tensor, "B C H W"], level: float, next_level: float,
    noise: Float[Tensor, "B C H W"] | None = None, eta: float = 0.0,
) -> Float[Tensor, "B C H W"]:  # fmt: skip
    """One step from ᾱ_t = ``level`` to ᾱ_s = ``next_level``, nearer to the image.

    Parameters
    ----------
    predicted
        ε̂, what the network takes for noise.
    noise
        Fresh standard normal noise; needed where ``eta`` is not 0.
    eta
        0 for DDIM, 1 for the variance of DDPM.

    Raises
    ------
    ValueError
        If ``eta`` is not 0 and there is no noise.

    Examples
    --------
    >>> x, e = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    >>> step_back(x, e, level=0.25, next_level=1.0)[0, 0, 0]
    tensor([2., 2.])
    """
    if eta and noise is None:
        raise ValueError(f"A step with eta = {eta} draws: give standard normal noise of shape {tuple(x.shape)}.")
    sigma = eta * math.sqrt((1 - next_level) / (1 - level) * (1 - level / next_level))
    image = (x - math.sqrt(1 - level) * predicted) / math.sqrt(level)
    y = math.sqrt(next_level) * image + math.sqrt(max(0.0, 1 - next_level - sigma**2)) * predicted
    return y if noise is None else y + sigma * noise


@torch.no_grad()
def sample(
    model: nn.Module, start: Float[Tensor, "B C H W"], steps: int, eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "B C H W"]:  # fmt: skip
    """Images from noise, in ``steps`` passes of the network.

    Parameters
    ----------
    start
        x_T, standard normal.
    steps
        1 to 250; they are spread evenly over the chain.
    eta
        0 for DDIM, 1 for DDPM's variance.
    generator
        Draws the noise of each step where ``eta`` is not 0, on the device of ``start``.

    Raises
    ------
    ValueError
        If ``steps`` is outside 1 to 250.

    Examples
    --------
    >>> from lablib.models.diffusion import UNet
    >>> sample(UNet(), torch.randn(2, 1, 8, 8), steps=3).shape
    torch.Size([2, 1, 8, 8])
    """
    if not 1 <= steps <= STEPS:
        raise ValueError(f"The chain has {STEPS} steps: expected steps from 1 to {STEPS}, got {steps}.")
    levels = signal_levels().tolist()
    chain = [round(STEPS * place / steps) for place in range(steps, -1, -1)]
    x = start
    for t, s in pairwise(chain):
        predicted = model(x, torch.full((len(x),), t, device=x.device))
        noise = torch.randn(x.shape, generator=generator, device=x.device) if eta else None
        x = step_back(x, predicted, levels[t], levels[s], noise, eta)
    return x
