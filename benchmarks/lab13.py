"""How good are lab13's searches, over many seeds, and do their negative controls fail?

    python -m benchmarks.lab13 [FILE]

The lab's own tests run first; nothing is measured if one fails. About 8 minutes on one core. The lab quotes the file
that this writes, which is benchmarks/results/<date>-cpu-lab13.json unless given.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lablib import device

import numpy as np  # isort: skip
import torch  # isort: skip
from scipy.stats import kendalltau, mannwhitneyu  # isort: skip

from autograder.master import load  # isort: skip
from benchmarks import result_files  # isort: skip
from benchmarks.solved_lab import solved  # isort: skip
from benchmarks.spread import summary  # isort: skip
from lablib.automl import costs, shared, space, table, training  # isort: skip
from lablib.automl.liveness import live  # isort: skip

MASTER = Path(__file__).parents[1] / "solutions/lab13_architecture_search/lab13_architecture_search.py"
RUNS, QUERIES, SEEDS = 30, 150, 10
BAND = (230_000, 320_000)  # FLOPs
Cell = tuple[int, ...]
TABLE = table.read()
LATENCY = np.array([costs.seconds(cell, costs.CPU) for cell in space.cells()])


def query(seed: int) -> Callable[[Sequence[int]], float]:
    """What one training of a cell reached."""
    return lambda cell: float(TABLE.validation[space.number(cell), seed % 3, -1])


def chance(budget: int, runs: int = 2000) -> np.ndarray:
    """Mean accuracies of the cells that random search finds, by one training each."""
    picks = np.random.default_rng(0).integers(0, space.CELLS, (runs, budget))
    lucky = TABLE.validation[picks, 0, -1].argmax(1)
    return TABLE.mean[picks[np.arange(runs), lucky]]


def searches(lab: dict[str, Any]) -> dict[str, Any]:
    """Regret at 150 queries, and whether it is less than that of chance: a one-sided Mann-Whitney test."""

    def draw(p: torch.Tensor) -> Cell:
        return tuple(torch.multinomial(p, 1)[:, 0].tolist())

    def controller(seed: int, rate: float) -> Cell:
        return lab["controller"](query(seed), draw, QUERIES, 6, 5, rate, 0.9)

    found: dict[str, Callable[[int], Cell]] = {
        "evolution": lambda seed: lab["evolve"](query(seed), QUERIES, 6, 5, 20, 10),
        "controller": lambda seed: controller(seed, 1.0),
        "control: controller, the sign wrong": lambda seed: controller(seed, -5.0),
    }
    best = float(TABLE.mean.max())
    by_chance = best - chance(QUERIES)
    result: dict[str, Any] = {"queries": QUERIES, "runs": RUNS, "random": summary(by_chance.tolist())}
    for name, search in found.items():
        regrets = []
        for seed in range(RUNS):
            device.seed(seed)
            random.seed(seed)
            regrets.append(TABLE.regret(search(seed)))
        p = float(mannwhitneyu(regrets, by_chance, alternative="less").pvalue)
        result[name] = {"regret": summary(regrets), "p that it is no better than chance": p}
    return result


def darts(lab: dict[str, Any]) -> dict[str, Any]:
    """Early-stopped DARTS against chance of equal cost, and DARTS that is run to its collapse."""
    digits = lab["search_images"]()
    bare = costs.flops((0,) * 6)
    # A step does all operations of all edges, on two batches; a training takes 12 epochs of 31 steps.
    a_step = 2 * (bare + sum(costs.flops((o,) * 6) - bare for o in range(1, 5)))
    a_training = 12 * 31 * float(np.mean([costs.flops(cell) for cell in space.cells()]))

    def run(seed: int, noise: float, steps: int, patience: int) -> tuple[float, int]:
        batches = lab["pairs"](digits, steps, seed, noise)
        cell, history = lab["darts"](shared.initial(seed), batches, rate=0.05, step=0.01, warm=30, patience=patience)
        return TABLE.accuracy(cell), len(history)

    stopped = [run(seed, 1.5, 240, 60) for seed in range(SEEDS)]
    collapsed = [run(seed, 0.0, 160, 1000)[0] for seed in range(SEEDS)]
    equal = [math.ceil(steps * a_step / a_training) for _, steps in stopped]
    medians = [float(np.median(chance(count))) for count in equal]
    return {
        "accuracy": [accuracy for accuracy, _ in stopped], "steps": [steps for _, steps in stopped],
        "trainings of equal FLOPs": equal, "median of chance with so many": medians,
        "better than it": sum(a > m for (a, _), m in zip(stopped, medians, strict=True)),
        "control: no noise, no stop": collapsed,
        "control better than it": sum(a > m for a, m in zip(collapsed, medians, strict=True)),
    }  # fmt: skip


def tau(one: Sequence[float], other: Sequence[float]) -> float:
    """Kendall's τ-b."""
    return float(kendalltau(one, other).statistic)  # pyright: ignore[reportAttributeAccessIssue]


def samples() -> dict[str, list[Cell]]:
    """100 functions in the lab's band of FLOPs, and 100 of any size."""
    functions = {live(cell): costs.flops(cell) for cell in space.cells()}
    in_band = [cell for cell, work in functions.items() if BAND[0] <= work <= BAND[1]]
    chooser = np.random.default_rng(0)
    return {
        "band": [in_band[i] for i in chooser.choice(len(in_band), 100, replace=False)],
        "all sizes": [list(functions)[i] for i in chooser.choice(len(functions), 100, replace=False)],
    }


def fair_draws(lab: dict[str, Any], seed: int, least: int, most: int, steps: int = 2000) -> list[Cell]:
    """Paths from the lab's fair draws; those with fewer or more FLOPs are left out."""
    device.seed(seed)
    random.seed(seed)
    paths: list[Cell] = []
    while len(paths) < steps:
        paths += [cell for cell in lab["fair_paths"](6, 5) if least <= costs.flops(cell) <= most]
    return paths[:steps]


def trained(lab: dict[str, Any], seed: int, paths: list[Cell]) -> dict[str, torch.Tensor]:
    """A supernet's weights, trained on these paths as in the lab."""
    steps = len(paths)
    rates = [0.05 * (1 + math.cos(math.pi * step / steps)) for step in range(steps)]
    batches = lab["noisy"](lab["search_images"](), steps, seed, noise=0.7)
    return lab["train_paths"](shared.initial(seed), batches, paths, rates)


def scores(lab: dict[str, Any], weights: dict[str, torch.Tensor], cells: list[Cell]) -> list[float]:
    """How good a supernet says that the cells are: minus the loss on 500 images."""
    digits = lab["search_images"]()
    return [-loss for loss in lab["score"](weights, cells, digits.validation_x[:500], digits.validation_y[:500])]


def accuracies(lab: dict[str, Any], weights: dict[str, torch.Tensor], cells: list[Cell]) -> list[float]:
    """The same by the share of these images that each cell gets right."""
    digits = lab["search_images"]()
    x, y = digits.validation_x[:500], digits.validation_y[:500]
    with torch.no_grad():
        return [float((shared.path(weights, cell, x).argmax(1) == y).float().mean()) for cell in cells]


def supernet(lab: dict[str, Any]) -> dict[str, Any]:
    """τ of the supernet with the table, of FLOPs, and between the table's seeds."""
    found: dict[str, Any] = {}
    truth = {name: [TABLE.accuracy(cell) for cell in cells] for name, cells in samples().items()}
    for name, cells in samples().items():
        finals = TABLE.validation[[space.number(cell) for cell in cells], :, -1]
        pairs = [tau(finals[:, a], finals[:, b]) for a, b in ((0, 1), (0, 2), (1, 2))]
        by_work = tau([costs.flops(cell) for cell in cells], truth[name])
        found[name] = {"supernet": [], "by accuracy": [], "FLOPs": by_work, "between seeds": float(np.mean(pairs))}
    for seed in range(SEEDS):
        weights = trained(lab, seed, fair_draws(lab, seed, *BAND))
        for name, cells in samples().items():
            found[name]["supernet"].append(tau(scores(lab, weights, cells), truth[name]))
            found[name]["by accuracy"].append(tau(accuracies(lab, weights, cells), truth[name]))
    found["band"]["trained on paths of all sizes"] = [
        tau(scores(lab, trained(lab, seed, fair_draws(lab, seed, 0, 10**9)), samples()["band"]), truth["band"])
        for seed in range(3)
    ]
    return found


def one_path(lab: dict[str, Any]) -> dict[str, Any]:
    """τ in the band of supernets that 400 steps trained on one path: a cell of the band, or the largest of all."""
    band = samples()["band"]
    truth = [TABLE.accuracy(cell) for cell in band]
    drawn = random.Random(5).sample(band, SEEDS)

    def found(seed: int, cell: Cell) -> float:
        return tau(scores(lab, trained(lab, seed, [cell] * 400), band), truth)

    return {
        "a cell of the band": [found(seed, cell) for seed, cell in enumerate(drawn)],
        "six conv3": [found(seed, (4,) * 6) for seed in range(5)],
    }


def fronts(lab: dict[str, Any]) -> dict[str, Any]:
    """Share of the true hypervolume with 150 queries, by mean accuracies of the cells that a search returns."""
    corner = (float(LATENCY.max()), 0.5)
    points = list(zip(LATENCY.tolist(), TABLE.mean.tolist(), strict=True))
    whole = lab["hypervolume"](points, corner)

    def share(cells: list[Cell]) -> float:
        return lab["hypervolume"]([points[space.number(cell)] for cell in cells], corner) / whole

    def ours(seed: int, same: Callable[[Cell], Cell], initial: int) -> list[Cell]:
        latency = lambda cell: float(LATENCY[space.number(cell)])  # noqa: E731
        return lab["search_front"](query(seed), latency, same, QUERIES, 6, 5, initial)

    kinds: dict[str, Callable[[int], list[Cell]]] = {
        "front search": lambda seed: ours(seed, live, 30),
        "front search without same": lambda seed: ours(seed, tuple, 30),
        "random": lambda seed: ours(seed, tuple, QUERIES),
        "Optuna's NSGA-II": nsga,
    }
    result: dict[str, Any] = {"reference accuracy": corner[1]}
    for name, search in kinds.items():
        shares = []
        for seed in range(20):
            device.seed(seed)
            random.seed(seed)
            shares.append(share(search(seed)))
        result[name] = summary(shares)
    return result


def nsga(seed: int) -> list[Cell]:
    """The front that Optuna's NSGA-II finds with as many queries, its population that of the lab's first cells."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(population_size=30, seed=seed)
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=sampler)

    def objective(trial: Any) -> tuple[float, float]:
        cell = tuple(trial.suggest_categorical(f"edge{edge}", list(range(5))) for edge in range(6))
        return float(LATENCY[space.number(cell)]), query(seed)(cell)

    study.optimize(objective, n_trials=QUERIES)
    return [tuple(trial.params[f"edge{edge}"] for edge in range(6)) for trial in study.best_trials]


def retrained() -> dict[str, Any]:
    """20 cells trained again on this machine, against the table's training with the same seed."""
    cells = random.Random(1).sample(sorted({live(cell) for cell in space.cells()}), 20)
    again = training.train(cells, (0,), torch.device("cpu"))[0, :, -1, 0].numpy() / training.VALIDATION
    finals = TABLE.validation[[space.number(cell) for cell in cells], :, -1]
    spread = float(np.sqrt(finals.var(1, ddof=1).mean()))
    differences = again - finals[:, 0]
    return {
        "cells": len(cells), "root mean square difference": float(np.sqrt((differences**2).mean())),
        "largest difference": float(np.abs(differences).max()),
        "root mean square deviation between the table's seeds": spread,
    }  # fmt: skip


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path``."""
    if not device.INTERPRETED:
        raise SystemExit("benchmarks.lab13 measures what a CPU computes: set TRITON_INTERPRET=1.")
    lab, tests = solved(load(MASTER))
    result = {**result_files.cpu(), "tests": tests, "searches at 150 queries": searches(lab), "fronts": fronts(lab)}
    for name, measure in (("DARTS", darts), ("supernet", supernet), ("control: supernet of one path", one_path)):
        print(name, flush=True)
        result[name] = measure(lab)
    result["retrained"] = retrained()
    print(result_files.write(result, "cpu", "lab13", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
