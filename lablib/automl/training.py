"""The training that every cell of the table was given, for any number of cells at a time.

MNIST's 4000 training images are cut in two: 2000 to train on, 2000 to validate on, which is what a search may see. The
1000 test images stay for the end. Stochastic gradient descent with momentum, its rate falling to zero as half a cosine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from lablib.automl.batched import Networks

__all__ = ["RECIPE", "TEST", "VALIDATION", "Images", "Recipe", "correct", "images", "train"]


VALIDATION, TEST = 2000, 1000
"""Images that accuracy is counted on."""


@dataclass(frozen=True)
class Recipe:
    """What is fixed for all cells.

    Attributes
    ----------
    epochs
        Passes over the training images.
    evaluated
        After which epochs accuracy is measured; the last is the table's accuracy.
    batch, rate, momentum, decay
        Images a step, the first learning rate, and the optimizer's two other numbers.
    noise
        Standard deviation of what is added to every pixel: drawn anew for each step of training, once for what accuracy
        is counted on.
    """

    epochs: int = 12
    evaluated: tuple[int, ...] = (2, 4, 8, 12)
    batch: int = 64
    rate: float = 0.1
    momentum: float = 0.9
    decay: float = 5e-4
    noise: float = 1.5


RECIPE = Recipe()


@dataclass(frozen=True)
class Images:
    """Images of 14 × 14, shape (images, 14, 14), and their classes; ``validation`` is what a search may see."""

    train_x: Tensor
    train_y: Tensor
    validation_x: Tensor
    validation_y: Tensor
    test_x: Tensor
    test_y: Tensor


def images(device: torch.device, noise: float = 0.0) -> Images:
    """MNIST at half its resolution, pixels of mean 0 and variance about 1, cut in three; noise on what is held out."""
    from lablib.data.mnist import mnist

    data = mnist()
    half = len(data.train_x) - VALIDATION

    generator = torch.Generator().manual_seed(0)

    def smaller(x: Tensor, noise: float = noise) -> Tensor:
        small = (functional.avg_pool2d(x, 2)[:, 0] - 0.13) / 0.29
        return (small + noise * torch.randn(small.shape, generator=generator)).to(device)

    return Images(
        smaller(data.train_x[:half], 0.0), data.train_y[:half].to(device),
        smaller(data.train_x[half:]), data.train_y[half:].to(device),
        smaller(data.test_x), data.test_y.to(device),
    )  # fmt: skip


def train(
    cells: Sequence[tuple[int, ...]],
    seeds: Sequence[int],
    device: torch.device,
    recipe: Recipe = RECIPE,
    report: Callable[[int, float], None] | None = None,
) -> Tensor:
    """Train every cell with every seed, and count what each gets right.

    A seed decides the order of the images, and with the cell the initial weights.

    Parameters
    ----------
    report
        Called after each epoch with its number and the mean loss.

    Returns
    -------
    Tensor
        Correct answers, int64, shape (seeds, cells, evaluated epochs, 2): of the validation and of the test images.
    """
    data = images(device, recipe.noise)
    networks = Networks(cells, seeds, device)
    parameters = list(networks.parameters.values())
    optimizer = torch.optim.SGD(
        parameters, recipe.rate, recipe.momentum, weight_decay=recipe.decay, nesterov=True, foreach=True
    )
    steps = len(data.train_x) // recipe.batch
    orders = [torch.Generator().manual_seed(seed) for seed in seeds]
    sources = [torch.Generator().manual_seed(1_000_000 + seed) for seed in seeds]
    counts = []
    for epoch in range(recipe.epochs):
        order = torch.stack([torch.randperm(len(data.train_x), generator=each) for each in orders]).to(device)
        total = torch.zeros((), device=device)
        for step in range(steps):
            rate = recipe.rate * 0.5 * (1 + math.cos(math.pi * (epoch + step / steps) / recipe.epochs))
            optimizer.param_groups[0]["lr"] = rate
            batch = order[:, step * recipe.batch : (step + 1) * recipe.batch]
            x = data.train_x[batch]
            added = torch.stack([torch.randn(x.shape[1:], generator=each) for each in sources])
            total += _step(networks, optimizer, x + recipe.noise * added.to(device), data.train_y[batch])
        if report:
            report(epoch + 1, total.item() / (steps * networks.models))
        if epoch + 1 in recipe.evaluated:
            held_out = ((data.validation_x, data.validation_y), (data.test_x, data.test_y))
            counts.append(torch.stack([correct(networks, x, y) for x, y in held_out], dim=-1))
    return torch.stack(counts, dim=1).view(len(seeds), len(cells), len(counts), 2).cpu()


def _step(networks: Networks, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> Tensor:
    """One step of all models on images of shape (seeds, B, side, side); the sum of their losses, detached."""
    logits = networks.logits(x, training=True)
    classes = y.repeat_interleave(len(networks.cells), dim=0)
    # A sum over models: each model's gradient is what it would be alone.
    loss = functional.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="sum") / y.shape[1]
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


def correct(networks: Networks, x: Tensor, y: Tensor, batch: int = 250) -> Tensor:
    """How many of the images each model classifies correctly, with its running statistics; shape (models,)."""
    found = torch.zeros(networks.models, dtype=torch.int64, device=x.device)
    with torch.no_grad():
        for part, classes in zip(x.split(batch), y.split(batch), strict=True):
            logits = networks.logits(part.expand(len(networks.seeds), *part.shape), training=False)
            found += (logits.argmax(2) == classes).sum(1)
    return found
