"""How sure is lab02 of its accuracies? Train its solution, and the control, with many seeds.

    python -m benchmarks.lab02 [FILE]

The lab's own tests run first; nothing is trained if one fails. Each run turns the images in one of 8 ways and numbers
the classes anew, as the lab's check does. About 3 minutes on one core. The lab quotes the file that this writes, which
is benchmarks/results/<date>-cpu-lab02.json unless given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lablib import device

import torch  # isort: skip

from autograder.master import load  # isort: skip
from benchmarks import result_files  # isort: skip
from benchmarks.solved_lab import solved  # isort: skip
from benchmarks.spread import summary  # isort: skip

MASTER = Path(__file__).parents[1] / "solutions/lab02_vision_models/lab02_vision_models.py"
RUNS = 24


def digits(lab: dict[str, Any], train: Callable[..., Any], runs: int = RUNS) -> list[float]:
    """Accuracies on MNIST's held-out images, a training each."""
    data, found = lab["mnist"](), []
    for seed in range(runs):
        torch.manual_seed(1000 + seed)
        names = torch.randperm(10)
        answer = train(lab["turned"](data.train_x, seed % 8), names[data.train_y])
        model = lab["rebuilt"](answer, (1, 28, 28), most_parameters=60_000, most_flops=2_000_000)
        found.append(lab["accuracy"](model, lab["turned"](data.test_x, seed % 8), names[data.test_y]))
    return found


def clips(lab: dict[str, Any], change: Callable[[torch.Tensor], torch.Tensor], runs: int = 8) -> list[float]:
    """Accuracies on clips of held-out digits, where frames are changed in training and test."""
    found = []
    for seed in range(runs):
        torch.manual_seed(seed)
        data = lab["moving_digits"](train=512, test=512, seed=seed)
        answer = lab["train_clips"](change(data.train_x), data.train_y)
        model = lab["rebuilt"](answer, (1, 6, 16, 16), most_parameters=5_000, most_flops=2_000_000)
        found.append(lab["accuracy"](model, change(data.test_x), data.test_y))
    return found


def averaged(x: torch.Tensor) -> torch.Tensor:
    return x.mean(dim=2, keepdim=True).expand_as(x)


def shuffled(x: torch.Tensor) -> torch.Tensor:
    order = torch.rand(len(x), x.shape[2]).argsort(dim=1)
    return x[torch.arange(len(x))[:, None], 0, order][:, None]


def main(path: Path | None = None) -> None:
    """Check, train, and write ``path``."""
    if not device.INTERPRETED:
        raise SystemExit("benchmarks.lab02 measures what a CPU trains, as in grading: set TRITON_INTERPRET=1.")
    master = load(MASTER)
    lab, tests = solved(master)
    control = dict(lab)
    (mlp,) = (w.source for w in master.wrong_answers if (w.cell, w.mistake) == ("train_digits", "an_mlp"))
    exec(mlp, control)
    result = {
        **result_files.cpu(),
        "tests": tests,
        "digits, solution": summary(digits(lab, lab["train_digits"])),
        "digits, MLP": summary(digits(lab, control["train_digits"])),
        "clips, as they are": summary(clips(lab, lambda x: x)),
        "clips, averaged": summary(clips(lab, averaged)),
        "clips, shuffled": summary(clips(lab, shuffled)),
    }
    print(result_files.write(result, "cpu", "lab02", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
