"""Measure what a call of PyTorch costs on this machine's CPU: the figures that lab01 begins with.

    python -m benchmarks.lab01 [FILE]

The lab's own tests run first; nothing is timed if one fails. One thread; each time is the least of 200 means,
since other programs can only make a call longer. Writes benchmarks/results/<date>-<machine>-lab01.json unless given.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from autograder.master import load
from autograder.run import run_in_subprocess
from benchmarks import machine, result_files

ROOT = Path(__file__).parents[1]
MASTER = ROOT / "solutions/lab01_frameworks/lab01_frameworks.py"
MEANS = 200


def seconds(function: Callable[[], Any], repeats: int) -> float:
    """The least of `MEANS` means over ``repeats`` calls."""
    means = []
    for _ in range(MEANS):
        start = time.perf_counter()
        for _ in range(repeats):
            function()
        means.append((time.perf_counter() - start) / repeats)
    return min(means)


def call_rows() -> list[dict[str, Any]]:
    """Adding two numbers: in Python, in tensors, and with a gradient wanted."""
    one, two, wanting = torch.ones(1), torch.ones(1), torch.ones(1, requires_grad=True)
    a, b = 1.0, 2.0
    functions = {
        "Python floats": lambda: a + b,
        "torch.add": lambda: torch.add(one, two),
        "torch.add, a gradient wanted": lambda: torch.add(one, wanting),
    }
    return [{"name": name, "seconds": seconds(function, 500)} for name, function in functions.items()]


def size_rows() -> list[dict[str, Any]]:
    """``torch.add(x, y, out=z)`` in float32, by the number of elements."""
    rows = []
    for exponent in range(2, 25, 2):
        x, y, z = torch.ones(3, 2**exponent)
        took = seconds(lambda x=x, y=y, z=z: torch.add(x, y, out=z), max(1, min(400, 2**18 // 2**exponent)))
        rows.append({"elements": 2**exponent, "bytes": 12 * 2**exponent, "seconds": took})
    return rows


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path``."""
    report = run_in_subprocess(load(MASTER), variants=False)  # what the lab patches would slow this process
    tests = {name: outcome.status for name, outcome in report.solution.items()}
    failed = [name for name, status in tests.items() if status != "passed"]
    if failed:
        raise SystemExit(f"Nothing was timed: {', '.join(failed)} failed on this machine.")
    torch.set_num_threads(1)
    result = {**machine.describe(), "tests": tests, "calls": call_rows(), "torch.add(x, y)": size_rows()}
    print(result_files.write(result, machine.slug(), "lab01", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
