"""Likelihoods, bounds and noise of the generative models, against torch.distributions and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import distributions as D

from lablib.data.digits import digits
from lablib.models.diffusion import STEPS, add_noise, signal_levels
from lablib.models.sampling import sample, step_back
from lablib.models.vae import VAE, elbo, kl_to_standard_normal, log_binomial


def test_the_divergence_is_that_of_torch() -> None:
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    expected = D.kl_divergence(D.Normal(mean, (log_variance / 2).exp()), D.Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)


def test_the_likelihood_is_binomial_and_sums_to_one() -> None:
    x = digits().test_x[:4]
    logits = 3 * torch.randn_like(x)
    expected = D.Binomial(16, logits=logits).log_prob(x * 16).flatten(1).sum(dim=1)
    torch.testing.assert_close(log_binomial(x, logits), expected, atol=1e-3, rtol=1e-5)
    values = torch.arange(17).view(17, 1, 1, 1) / 16
    total = log_binomial(values, torch.full((17, 1, 1, 1), 0.7)).exp().sum()
    assert math.isclose(float(total), 1.0, abs_tol=1e-5)
    extreme = log_binomial(torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), -200.0))
    assert float(extreme) == 0.0


def test_the_bound_lies_below_the_likelihood_and_is_tight_where_the_code_tells_nothing() -> None:
    torch.manual_seed(0)
    model, x = VAE(), digits().test_x[:8]
    # Weights of zero: the posterior is the prior, and every code gives the same image.
    with torch.no_grad():
        for layer in (model.encoder[-1], model.decoder[-2]):
            layer.weight.zero_()
            layer.bias.zero_()
    exact = log_binomial(x, torch.zeros_like(x))
    torch.testing.assert_close(elbo(model, x), exact)
    torch.nn.init.normal_(model.encoder[-1].bias)
    assert bool((elbo(model, x) < exact).all())


def test_a_code_is_its_mean_and_the_noise_times_its_deviation() -> None:
    model, x, noise = VAE(), torch.rand(3, 1, 8, 8), torch.randn(3, 2)
    logits, mean, log_variance = model(x, noise)
    torch.testing.assert_close(logits, model.decode(mean + (log_variance / 2).exp() * noise))


def test_noise_added_at_once_is_noise_added_step_by_step() -> None:
    """Mean and variance of the chain x_t = √(1 - β_t) · x_(t-1) + √β_t · ε, followed exactly."""
    levels = signal_levels()
    mean, variance = 1.0, 0.0
    for t in range(1, STEPS + 1):
        keep = float(levels[t] / levels[t - 1])
        assert 0 < 1 - keep < 0.1
        mean, variance = math.sqrt(keep) * mean, keep * variance + 1 - keep
        assert math.isclose(mean, math.sqrt(levels[t]), rel_tol=1e-9)
        assert math.isclose(variance, 1 - levels[t], rel_tol=1e-9)
    assert variance > 0.9999
    x, noise = torch.rand(2, 1, 3, 3), torch.randn(2, 1, 3, 3)
    torch.testing.assert_close(add_noise(x, levels[[0, 0]], noise), x)
    torch.testing.assert_close(add_noise(x, torch.tensor([0.36, 0.36]), noise), 0.6 * x + 0.8 * noise)


@pytest.mark.parametrize("t", [1, 2, 60, 250])
def test_eta_one_is_the_posterior_of_ddpm(t: int) -> None:
    """Ho, Jain and Abbeel, equation 7: mean and variance of x_(t-1) given x_t and the estimated x_0."""
    levels = signal_levels()
    level, before = float(levels[t]), float(levels[t - 1])
    beta = 1 - level / before
    x, predicted, noise = torch.randn(3, 2, 1, 4, 4, dtype=torch.float64)
    image = (x - math.sqrt(1 - level) * predicted) / math.sqrt(level)
    mean = (math.sqrt(before) * beta * image + math.sqrt(1 - beta) * (1 - before) * x) / (1 - level)
    variance = (1 - before) / (1 - level) * beta
    found = step_back(x, predicted, level, before, noise, eta=1.0)
    torch.testing.assert_close(found, mean + math.sqrt(variance) * noise)


def test_a_step_that_draws_needs_noise() -> None:
    x = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match=r"eta = 1.0 draws: give standard normal noise of shape \(1, 1, 2, 2\)"):
        step_back(x, x, 0.5, 0.6, eta=1.0)


class Knows(torch.nn.Module):
    """The exact noise predictor of a world with one image, which counts its passes."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.image, self.passes = image, 0

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        level = signal_levels()[t].to(x.dtype)[:, None, None, None]
        return (x - level.sqrt() * self.image) / (1 - level).sqrt()


@pytest.mark.parametrize(("steps", "eta"), [(1, 0.0), (10, 0.0), (10, 1.0), (250, 1.0)])
def test_whoever_knows_the_noise_comes_back_to_the_image(steps: int, eta: float) -> None:
    model = Knows(digits().test_x[:1].double())
    start = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    found = sample(model, start, steps, eta, torch.Generator().manual_seed(0))
    assert model.passes == steps
    torch.testing.assert_close(found, model.image.expand(3, 1, 8, 8), atol=1e-5, rtol=1e-5)


def test_ddim_depends_on_its_start_alone_and_steps_are_bounded() -> None:
    torch.manual_seed(0)
    model = torch.nn.Conv2d(1, 1, 3, padding=1)
    predict = lambda x, t: model(x)  # noqa: E731
    start = torch.randn(2, 1, 8, 8)
    assert torch.equal(sample(predict, start, 5), sample(predict, start, 5))
    drawn = [sample(predict, start, 5, 1.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    with pytest.raises(ValueError, match="expected steps from 1 to 250, got 0"):
        sample(predict, start, 0)
