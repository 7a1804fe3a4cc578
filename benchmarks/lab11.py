"""How sure is lab11 that LoadGen says VALID? Run its four scenarios, and its batchers, again and again.

    python -m benchmarks.lab11 [FILE]

The lab's own tests run first; nothing is measured if one fails. About 2 minutes. The result is
benchmarks/results/<date>-<machine>-lab11.json unless a file is given.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lablib import device

from autograder.master import load  # isort: skip
from benchmarks import result_files  # isort: skip
from benchmarks.solved_lab import solved  # isort: skip
from lablib.serving import batching, loadgen  # isort: skip

MASTER = Path(__file__).parents[1] / "solutions/lab11_commodity_hardware_mlperf/lab11_commodity_hardware_mlperf.py"
RUNS = 10


def scenarios(lab: dict[str, Any]) -> dict[str, Any]:
    """The four scenarios as the lab's notebook runs them, around its solution of `answer`."""
    lengths, count = [1] * len(lab["digit_images"]), len(lab["digit_images"])
    server = loadgen.answering(lambda samples, complete: lab["answer"](samples, lengths, lab["classify"], complete, 32))
    found: dict[str, Any] = {scenario: {"valid": 0, "values": []} for scenario in loadgen.SCENARIOS}
    for _ in range(RUNS):
        speed = loadgen.probe(server, count)
        for scenario, row in found.items():
            rate = 100 if scenario == "Server" else 2 * speed
            result = loadgen.run(scenario, server, count, rate=rate).result
            row["valid"] += result["valid"]
            row["values"].append(result["value"])
            row["unit"] = result["unit"]
    return found


def batchers(lab: dict[str, Any]) -> dict[str, Any]:
    """The greedy policy and the solution's under LoadGen's Server."""
    measured = batching.measured_service(lab["classify"], [1, 2, 4, 8, 16, 32])
    found: dict[str, Any] = {}
    for name in ("greedy", "decide"):
        row = found[name] = {"valid": 0, "queries_a_batch": []}
        for _ in range(RUNS):
            sizes: list[int] = []

            def counted(indices: list[int], sizes: list[int] = sizes) -> list[int]:
                sizes.append(len(indices))
                return lab["classify"](indices)

            server = batching.worker(lab[name], counted, measured, 100_000)
            result = loadgen.run("Server", server, len(lab["digit_images"]), rate=150, bound=0.3).result
            row["valid"] += result["valid"]
            row["queries_a_batch"].append(sum(sizes) / len(sizes))
    return found


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path``."""
    if not device.INTERPRETED:
        raise SystemExit("benchmarks.lab11 measures a CPU, as the lab does: set TRITON_INTERPRET=1.")
    lab, tests = solved(load(MASTER))
    result = {
        **result_files.cpu(), "loadgen": version("mlcommons_loadgen"), "tests": tests, "runs": RUNS,
        "scenarios": scenarios(lab), "batchers": batchers(lab),
    }  # fmt: skip
    print(result_files.write(result, "cpu", "lab11", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
