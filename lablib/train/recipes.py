"""How each of the shipped weights was trained: model, data, loss, length, and what it must reach.

A recipe runs on the CPU or on a GPU. Batches are drawn from a generator on the CPU, so that both see the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lablib.device import DEVICE
from lablib.train import metrics

__all__ = ["RECIPES", "Recipe"]

Loss = Callable[[nn.Module, torch.Generator], Tensor]
Measure = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class Recipe:
    """What to train and for how long.

    Attributes
    ----------
    build
        Makes the untrained model.
    model, data
        In words: how to build it for `lablib.models.weights.load`, and what it saw.
    loss
        Draws a batch with the generator and returns the model's mean loss on it.
    measure
        Metrics of the model on held-out data.
    required
        The least and the most that a metric may be.
    steps, rate
        Steps of training, and the peak learning rate.
    """

    build: Callable[[], nn.Module]
    model: str
    data: str
    loss: Loss
    measure: Measure
    required: dict[str, tuple[float, float]]
    steps: int
    rate: float


def _classifying(data: Any, batch: int, shift: int = 0) -> tuple[Loss, Measure]:
    """Cross entropy where each image is moved by up to ``shift`` pixels up or down and sideways; accuracy."""
    x, y, test_x, test_y = (tensor.to(DEVICE) for tensor in data)
    places = torch.arange(x.shape[-1], device=DEVICE)

    def moved(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
        rows, columns = ((places + move[:, None]) % len(places) for move in (down, right))
        each = torch.arange(len(images), device=DEVICE)[:, None, None]
        return images[each, 0, rows[:, :, None], columns[:, None, :]][:, None]

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(y), (batch,), generator=generator).to(DEVICE)
        moves = torch.randint(-shift, shift + 1, (2, batch), generator=generator).to(DEVICE)
        images = moved(x[chosen], *moves) if shift else x[chosen]
        return nn.functional.cross_entropy(model(images), y[chosen])

    return loss, lambda model: {"test_accuracy": metrics.accuracy(model, test_x, test_y)}


def cnn() -> Recipe:
    from lablib.data.mnist import mnist
    from lablib.models.cnn import CNN

    loss, measure = _classifying(mnist(), batch=100, shift=2)
    return Recipe(CNN, "CNN()", "mnist", loss, measure, {"test_accuracy": (0.975, 1.0)}, steps=1000, rate=4e-3)


def cnn_digits() -> Recipe:
    """The network whose features the Fréchet distance of digits is taken in."""
    from lablib.data.digits import digits
    from lablib.models.cnn import CNN

    loss, measure = _classifying(digits(), batch=64)
    return Recipe(CNN, "CNN()", "digits", loss, measure, {"test_accuracy": (0.97, 1.0)}, steps=500, rate=4e-3)


def cnn3d() -> Recipe:
    from lablib.data.moving_digits import moving_digits
    from lablib.models.cnn3d import CNN3D

    loss, measure = _classifying(moving_digits(), batch=64)
    required = {"test_accuracy": (0.95, 1.0)}
    return Recipe(CNN3D, "CNN3D()", "moving_digits", loss, measure, required, steps=200, rate=4e-3)


def vit() -> Recipe:
    from lablib.data.mnist import mnist
    from lablib.models.vit import ViT

    loss, measure = _classifying(mnist(), batch=100, shift=2)
    required = {"test_accuracy": (0.96, 1.0)}
    return Recipe(lambda: ViT(dropout=0.1), "ViT()", "mnist", loss, measure, required, steps=4000, rate=2e-3)


def gpt() -> Recipe:
    from lablib.data.austen import austen
    from lablib.models.gpt import GPT

    train, test = (tokens.to(DEVICE) for tokens in austen())
    places = torch.arange(129, device=DEVICE)

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        starts = torch.randint(len(train) - 128, (64, 1), generator=generator).to(DEVICE)
        window = train[starts + places]
        return nn.functional.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())

    def measure(model: nn.Module) -> dict[str, float]:
        return {"test_bits_per_character": metrics.bits_per_character(model, test)}

    # The best that counting does, with up to five characters before the next, is 1.78.
    required = {"test_bits_per_character": (0.0, 1.75)}
    return Recipe(lambda: GPT(dropout=0.1), "GPT()", "austen", loss, measure, required, steps=6000, rate=2e-3)


def gcn() -> Recipe:
    from lablib.data.graphs import stochastic_block_model
    from lablib.models.gcn import GCN, normalised_adjacency

    graph = stochastic_block_model()
    adjacency = normalised_adjacency(graph.offsets, graph.columns).to(DEVICE)
    x, y, train = graph.x.to(DEVICE), graph.y.to(DEVICE), graph.train.to(DEVICE)

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        return nn.functional.cross_entropy(model(x, adjacency)[train], y[train])

    @torch.no_grad()
    def measure(model: nn.Module) -> dict[str, float]:
        right = model(x, adjacency).argmax(dim=1) == y
        return {"test_accuracy": float(right[~train].float().mean())}

    return Recipe(
        lambda: GCN(16, 32, 4, dropout=0.5), "GCN(16, 32, 4)", "stochastic_block_model()", loss, measure,
        {"test_accuracy": (0.9, 1.0)}, steps=200, rate=1e-2,
    )  # fmt: skip


def vae() -> Recipe:
    from lablib.data.digits import digits
    from lablib.models.vae import VAE, elbo

    data = digits()
    x, test = data.train_x.to(DEVICE), data.test_x.to(DEVICE)

    def loss(model: Any, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(x), (100,), generator=generator).to(DEVICE)
        noise = torch.randn(100, model.code, generator=generator).to(DEVICE)
        return -elbo(model, x[chosen], noise).mean()

    @torch.no_grad()
    def measure(model: Any) -> dict[str, float]:
        noise = torch.randn(20, len(test), model.code, generator=torch.Generator().manual_seed(0)).to(DEVICE)
        bound = torch.stack([elbo(model, test, draw).mean() for draw in noise]).mean()
        return {"test_elbo_nats": float(bound), "frechet": _distance(model.decode(noise[0]).sigmoid(), test)}

    required = {"test_elbo_nats": (-150.0, 0.0)}
    return Recipe(VAE, "VAE()", "digits", loss, measure, required, steps=4000, rate=2e-3)


def diffusion() -> Recipe:
    from lablib.data.digits import digits
    from lablib.models.diffusion import STEPS, UNet, add_noise, signal_levels
    from lablib.models.sampling import sample

    data = digits()
    x, test = 2 * data.train_x.to(DEVICE) - 1, data.test_x.to(DEVICE)
    levels = signal_levels().to(DEVICE, torch.float32)

    def error(model: nn.Module, images: Tensor, generator: torch.Generator) -> Tensor:
        t = torch.randint(1, STEPS + 1, (len(images),), generator=generator).to(DEVICE)
        noise = torch.randn(images.shape, generator=generator).to(DEVICE)
        return (model(add_noise(images, levels[t], noise), t) - noise).square().mean()

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        return error(model, x[torch.randint(len(x), (128,), generator=generator).to(DEVICE)], generator)

    @torch.no_grad()
    def measure(model: nn.Module) -> dict[str, float]:
        start = torch.randn(test.shape, generator=torch.Generator().manual_seed(0)).to(DEVICE)
        found = {"test_error": float(error(model, (2 * test - 1).repeat(5, 1, 1, 1), torch.Generator().manual_seed(0)))}
        for steps in (10, 50):
            drawn = (sample(model, start, steps) + 1) / 2
            found[f"frechet_{steps}_steps"] = _distance(drawn.clamp(0, 1), test)
        return {**found, "frechet_of_noise": _distance(start, test)}

    required = {"frechet_50_steps": (0.0, 5.0)}
    return Recipe(UNet, "UNet()", "digits", loss, measure, required, steps=5000, rate=2e-3)


def _distance(drawn: Tensor, real: Tensor) -> float:
    """Fréchet distance of digits in the features of the network ``cnn_digits``."""
    from lablib.models.cnn import CNN
    from lablib.models.weights import load

    network: Any = load(CNN(), "cnn_digits").to(DEVICE)
    return metrics.frechet_distance(network.features(drawn), network.features(real))


def vit_exits() -> Recipe:
    """Heads on the frozen ViT."""
    from lablib.data.mnist import mnist
    from lablib.models.exits import Exits, states
    from lablib.models.vit import ViT
    from lablib.models.weights import load

    backbone: Any = load(ViT(), "vit").to(DEVICE)
    x, y, test_x, test_y = (tensor.to(DEVICE) for tensor in mnist())

    def logits(model: nn.Module, images: Tensor) -> list[Tensor]:
        return [model(exit, state.mean(dim=1)) for exit, state in enumerate(states(backbone, images)[:-1])]

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(y), (100,), generator=generator).to(DEVICE)
        return _mean_loss(logits(model, x[chosen]), y[chosen])

    @torch.no_grad()
    def measure(model: nn.Module) -> dict[str, float]:
        return _exit_accuracy(logits(model, test_x), test_y)

    required = {"test_accuracy_exit_2": (0.95, 1.0), "test_accuracy_exit_3": (0.965, 1.0)}
    return Recipe(
        lambda: Exits(64, 10), "Exits(64, 10), on ViT()", "mnist", loss, measure, required, steps=800, rate=2e-2
    )


def gpt_exits() -> Recipe:
    """Heads on the frozen GPT."""
    from lablib.data.austen import austen
    from lablib.models.exits import Exits, states
    from lablib.models.gpt import GPT
    from lablib.models.weights import load

    backbone: Any = load(GPT(), "gpt").to(DEVICE)
    train, test = (tokens.to(DEVICE) for tokens in austen())
    places = torch.arange(129, device=DEVICE)

    def logits(model: nn.Module, tokens: Tensor) -> list[Tensor]:
        return [model(exit, state).flatten(0, 1) for exit, state in enumerate(states(backbone, tokens)[:-1])]

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        window = train[torch.randint(len(train) - 128, (16, 1), generator=generator).to(DEVICE) + places]
        return _mean_loss(logits(model, window[:, :-1]), window[:, 1:].flatten())

    @torch.no_grad()
    def measure(model: nn.Module) -> dict[str, float]:
        window = test.unfold(0, 129, 128)[:100]
        return _exit_accuracy(logits(model, window[:, :-1]), window[:, 1:].flatten())

    required = {"test_accuracy_exit_3": (0.55, 1.0)}
    return Recipe(
        lambda: Exits(128, 72), "Exits(128, 72), on GPT()", "austen", loss, measure, required, steps=800, rate=1e-2
    )


def _mean_loss(logits: list[Tensor], y: Tensor) -> Tensor:
    return torch.stack([nn.functional.cross_entropy(one, y) for one in logits]).mean()


def _exit_accuracy(logits: list[Tensor], y: Tensor) -> dict[str, float]:
    right = [float((one.argmax(dim=1) == y).float().mean()) for one in logits]
    return {f"test_accuracy_exit_{number}": share for number, share in enumerate(right, start=1)}


RECIPES = {
    recipe.__name__: recipe for recipe in (cnn, cnn_digits, cnn3d, vit, vit_exits, gpt, gpt_exits, gcn, vae, diffusion)
}
"""Functions that make a recipe, by the name of its weights; networks come before the recipes that load them."""
