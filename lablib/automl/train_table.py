"""Train every cell of the space with every seed, and write the table.

    python -m lablib.automl.train_table --out FOLDER [--chunk CELLS] [--cells N]

Cells that compute the same function (`lablib.automl.liveness.live`) are trained once. Each chunk is written as it is
finished, ``part-NNNNN.npz``; a second call with the same folder and chunk goes on where the first stopped. When all
parts are there, ``cells.npz`` and its card ``cells.json`` are written. Made for a GPU with 80 GB or more: on an H200 it
takes minutes; two CPU cores need days, so that there ``--cells 8`` is a test of the script.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lablib.automl import space
from lablib.automl.liveness import live
from lablib.automl.training import RECIPE, VALIDATION, train
from lablib.device import DEVICE

__all__ = ["SEEDS", "assemble", "distinct"]

SEEDS = (0, 1, 2)


def distinct() -> list[tuple[int, ...]]:
    """One cell for each function, in an order of chance that is always the same: first those without ``conv1``.

    An interrupted run so leaves a smaller space, of four operations, whole.

    Examples
    --------
    >>> len(distinct()), space.CELLS
    (9445, 15625)
    """
    cells = sorted({live(cell) for cell in space.cells()})
    random.Random(0).shuffle(cells)
    return sorted(cells, key=lambda cell: space.OPERATIONS.index("conv1") in cell)


def assemble(parts: Sequence[Path]) -> dict[str, np.ndarray]:
    """The table of all cells, from the parts.

    Returns
    -------
    dict
        ``validation`` and ``test``: correct answers, uint16, shape (cells, seeds, evaluated epochs), by cell number.

    Raises
    ------
    ValueError
        If a cell's function is in no part.
    """
    found: dict[int, np.ndarray] = {}
    for path in parts:
        with np.load(path) as part:
            found.update(zip(part["cells"].tolist(), part["correct"], strict=True))
    rows = [found.get(space.number(live(cell))) for cell in space.cells()]
    missing = sum(row is None for row in rows)
    if missing:
        raise ValueError(f"{missing} of {space.CELLS} cells are in none of the {len(parts)} parts: train the rest.")
    table = np.stack([row for row in rows if row is not None])
    return {"validation": table[..., 0], "test": table[..., 1]}


def card(table: dict[str, np.ndarray], file: Path, seconds: float) -> dict[str, Any]:
    """What the table is, how it came about, and its checksum."""
    final = table["validation"][:, :, -1] / VALIDATION
    return {
        "content": "correct answers by cell number, seed and evaluated epoch, of 2000 validation and 1000 test images",
        "data": "mnist",
        "origin": "trained by lablib.automl.train_table on lablib.data.mnist",
        "licence": "CC-BY-4.0",
        "operations": space.OPERATIONS,
        "edges": space.EDGES,
        "seeds": SEEDS,
        "recipe": asdict(RECIPE),
        "metrics": {
            "best_mean_validation_accuracy": float(final.mean(1).max()),
            "median_validation_accuracy": float(np.median(final.mean(1))),
            "median_deviation_between_seeds": float(np.median(final.std(1, ddof=1))),
        },
        "command": "python -m lablib.automl.train_table --out FOLDER",
        "trainings": len(distinct()) * len(SEEDS),
        "seconds": round(seconds),
        "machine": torch.cuda.get_device_name() if DEVICE.type == "cuda" else f"{platform.machine()} CPU",
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def main(arguments: list[str]) -> int:
    """Train what is missing, and return the exit status."""
    parser = argparse.ArgumentParser("python -m lablib.automl.train_table", description="Train every cell.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the parts and the table")
    parser.add_argument("--chunk", type=int, default=1064, help="cells trained side by side, each with every seed")
    parser.add_argument("--cells", type=int, help="train only so many cells: a test, which leaves no table")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    # Ten bits of mantissa in the products are enough to train these networks, and eight times as fast.
    torch.backends.cuda.matmul.allow_tf32 = True
    wanted = distinct()[: options.cells]
    starts = range(0, len(wanted), options.chunk)
    parts = [options.out / f"part-{start:05d}.npz" for start in starts]
    todo = [(start, part) for start, part in zip(starts, parts, strict=True) if not part.exists()]
    for done, (start, part) in enumerate(todo, start=1):
        _train_part(wanted[start : start + options.chunk], part, len(todo) - done)
    if options.cells is not None:
        print(f"{len(wanted)} cells are trained; the table needs all {len(distinct())}.")
        return 0
    table = assemble(parts)
    np.savez_compressed(options.out / "cells.npz", **table)  # pyright: ignore[reportArgumentType]
    about = card(table, options.out / "cells.npz", sum(float(np.load(part)["seconds"]) for part in parts))
    (options.out / "cells.json").write_text(json.dumps(about, indent=1) + "\n")
    print(json.dumps(about["metrics"]))
    return 0


def _train_part(cells: list[tuple[int, ...]], path: Path, left: int) -> None:
    """Train one part, write it, and say how long the parts that are left will take."""
    start = time.perf_counter()

    def report(epoch: int, loss: float) -> None:
        spent = time.perf_counter() - start
        print(f"{path.stem} epoch {epoch:2d}  loss {loss:.4f}  {spent:6.1f} s", flush=True)

    correct = train(cells, SEEDS, DEVICE, report=report).transpose(0, 1)
    seconds = time.perf_counter() - start
    partial = path.with_suffix(".tmp.npz")
    np.savez_compressed(
        partial, cells=np.array([space.number(cell) for cell in cells], np.int32),
        correct=correct.numpy().astype(np.uint16), seconds=np.float64(seconds),
    )  # fmt: skip
    partial.rename(path)
    memory = f"{torch.cuda.max_memory_allocated() / 1e9:.0f} GB, " if DEVICE.type == "cuda" else ""
    best = correct[:, :, -1, 0].double().mean(1).max().item() / VALIDATION
    print(
        f"{path.stem}: {len(cells)} cells in {seconds:.1f} s, {memory}best mean accuracy {best:.4f}; "
        f"about {seconds * left:.0f} s for the {left} parts left",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
