"""Train weights again and write them, with their cards, into a folder.

    python -m lablib.train --out FOLDER [NAME ...]

Without names, all of them. A model that does not reach what its recipe requires is not written; the exit status is
then 1.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from lablib.device import DEVICE, seed
from lablib.models import weights
from lablib.train.loop import fit
from lablib.train.recipes import RECIPES

SEED = 0


def train(name: str, folder: Path) -> dict[str, float]:
    """Train one model; write it to ``folder`` if it reaches what is required. Metrics are those of the written file."""
    seed(SEED)
    recipe = RECIPES[name]()
    model = recipe.build().to(DEVICE)
    generator = torch.Generator().manual_seed(SEED)
    log = fit(
        model, lambda m: recipe.loss(m, generator), recipe.steps, recipe.rate,
        report=lambda line: print(f"{name} {line['step']:6d}  {line['loss']:.4f}  {line['seconds']:.0f} s", flush=True),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        # Rounding to float16 is part of what is measured.
        weights.save(model, name, {}, Path(scratch))
        metrics = recipe.measure(weights.load(model, name, Path(scratch)))
    print(name, metrics, flush=True)
    for metric, (least, most) in recipe.required.items():
        if not least <= metrics[metric] <= most:
            raise ValueError(f"{metric} of {name} is {metrics[metric]:.4g}, its recipe requires {least} to {most}.")
    about = {
        "model": recipe.model,
        "data": recipe.data,
        "metrics": metrics,
        "required": recipe.required,
        "command": f"python -m lablib.train --out FOLDER {name}",
        "seed": SEED,
        "steps": recipe.steps,
        "machine": torch.cuda.get_device_name() if DEVICE.type == "cuda" else f"{platform.machine()} CPU",
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "log": log,
    }
    weights.save(model, name, about, folder)
    return metrics


def main(arguments: list[str]) -> int:
    """Train what was asked for, and return the exit status."""
    parser = argparse.ArgumentParser("python -m lablib.train", description="Train weights and write them with cards.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECIPES))
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and their cards")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in RECIPES]
    if unknown:
        parser.error(f"there is no recipe {unknown[0]!r}: expected some of {', '.join(RECIPES)}")
    status = 0
    for name in options.names or RECIPES:
        try:
            train(name, options.out)
        except (ValueError, FloatingPointError) as error:
            print(f"{name} was not written: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
