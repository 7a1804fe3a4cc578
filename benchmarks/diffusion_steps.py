"""Measure what a step of the sampler buys: Fréchet distance and core-seconds of digits drawn in few and many steps.

    python -m benchmarks.diffusion_steps [FILE]

Takes about five core-minutes. The weights are those that lablib ships, the distance is to the 360 digits of the test
set in the features of the network ``cnn_digits``. Lab04 shows the file that this writes, which is
benchmarks/results/<date>-<machine>-diffusion-steps.json unless given.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import machine, result_files
from lablib.data.digits import digits
from lablib.models.cnn import CNN
from lablib.models.diffusion import UNet
from lablib.models.sampling import sample
from lablib.models.vae import VAE
from lablib.models.weights import load
from lablib.train.metrics import frechet_distance

STEPS = (1, 2, 3, 5, 10, 20, 50, 100, 250)
SEEDS = (0, 1, 2)
IMAGES = 360

Draw = Callable[[torch.Generator], torch.Tensor]


def measured(name: str, draw: Draw, features: Callable[[torch.Tensor], torch.Tensor], **about: Any) -> dict[str, Any]:
    """Distance to the test set for each seed, and the least core-seconds of a run on one thread."""
    real, distances, seconds = features(digits().test_x), [], []
    for seed in SEEDS:
        start = time.process_time()
        images = draw(torch.Generator().manual_seed(seed))
        seconds.append(time.process_time() - start)
        distances.append(frechet_distance(features(images), real))
    return {"name": name, **about, "frechet": distances, "core_seconds": min(seconds)}


def noise(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(IMAGES, 1, 8, 8, generator=generator)


@torch.no_grad()
def rows() -> list[dict[str, Any]]:
    """Real digits, one pass of the VAE's decoder, then DDIM (eta 0) and DDPM's variance (eta 1) in 1 to 250 steps."""
    network: Any = load(CNN(), "cnn_digits")
    vae: Any = load(VAE(), "vae")
    unet = load(UNet(), "diffusion")
    train = digits().train_x

    def real(generator: torch.Generator) -> torch.Tensor:
        return train[torch.randperm(len(train), generator=generator)[:IMAGES]]

    def decoded(generator: torch.Generator) -> torch.Tensor:
        return vae.decode(torch.randn(IMAGES, vae.code, generator=generator)).sigmoid()

    def diffused(generator: torch.Generator, steps: int, eta: float) -> torch.Tensor:
        images = sample(unet, noise(generator), steps, eta, generator)
        return ((images + 1) / 2).clamp(0, 1)

    found = [
        measured("digits of the training set", real, network.features),
        measured("VAE", decoded, network.features, steps=1),
    ]
    for eta in (0.0, 1.0):
        for steps in STEPS:
            name = f"{'DDIM' if eta == 0 else 'DDPM'}, {steps} steps"
            draw = lambda generator, steps=steps, eta=eta: diffused(generator, steps, eta)  # noqa: E731
            found.append(measured(name, draw, network.features, steps=steps, eta=eta))
            print(found[-1], flush=True)
    return found


def main(path: Path | None) -> None:
    torch.set_num_threads(1)
    result = {**machine.describe(), "images": IMAGES, "rows": rows()}
    print(result_files.write(result, machine.slug(), "diffusion-steps", path))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
