"""How sure is lab17 of its thresholds, and do its checkpoints survive? Real kills, simulated crashes, bounds.

    python -m benchmarks.lab17 [FILE]

The lab's own tests run first; nothing is measured if one fails. About 4 minutes on one core. It writes
benchmarks/results/<date>-cpu-lab17.json unless a file is given.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lablib import device

import torch  # isort: skip

from autograder.master import load  # isort: skip
from benchmarks import result_files  # isort: skip
from benchmarks.solved_lab import solved  # isort: skip
from benchmarks.spread import summary  # isort: skip
from lablib.cloud import autoscale, fleet, requests  # isort: skip
from lablib.cloud.disk import Disk, FolderDisk  # isort: skip
from lablib.cloud.kills import run_and_kill  # isort: skip

MASTER = Path(__file__).parents[1] / "solutions/lab17_cloud_scale/lab17_cloud_scale.py"
KILLS, CRASHES, DAYS = 200, 2000, 100


def checkpoints() -> tuple[Callable[..., None], Callable[..., Any]]:
    """The solution's save and restore, without the rest of the lab."""
    names: dict[str, Any] = {"hashlib": hashlib, "json": json, "torch": torch}
    exec(next(cell.source for cell in load(MASTER).solution_cells if cell.id == "save"), names)
    return names["save"], names["restore"]


def chain(save: Callable[..., None], restore: Callable[..., Any], disk: FolderDisk, last: int) -> bytes:
    """Go on from the newest checkpoint; each state depends on all before it, and each is saved."""
    step, shards = restore(disk.files()) or (0, [b"seed"])
    state = b"".join(shards)
    while step < last:
        state = b"".join(hashlib.sha256(state + bytes([k])).digest() for k in range(250))
        step += 1
        save(disk.do, step, [state[:3000], state[3000:]])
    return state


class MortalDisk(FolderDisk):
    """A folder whose process kills itself, by SIGKILL, when so many bytes were written."""

    def __init__(self, folder: Path, left: int) -> None:
        super().__init__(folder)
        self.left = left

    def do(self, operation: str, *arguments) -> object:
        if operation == "write":
            name, data = arguments
            if len(data) > self.left:
                super().do("write", name, data[: self.left])
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= len(data)
        return super().do(operation, *arguments)


def real_kills(kills: int, at_bytes: bool, seed: int = 0, last: int = 40) -> dict[str, int]:
    """Kill a process until so many kills are done, and compare the end of each run, bit by bit.

    It dies at a random byte of one of its next eight checkpoints (each of 8 kB), or at a random moment.
    """
    save, restore = checkpoints()
    draw, done = random.Random(seed), {"kills": 0, "runs": 0, "resumed": 0, "wrong": 0}

    def killed(folder: Path) -> bool:
        if at_bytes:
            left = draw.randrange(64_000)
            return run_and_kill(lambda: chain(save, restore, MortalDisk(folder, left), last), after=60)
        disk = FolderDisk(folder, chunk=1024)
        return run_and_kill(lambda: chain(save, restore, disk, last), draw.uniform(0.0, 0.08))

    with tempfile.TemporaryDirectory() as place:
        want = chain(save, restore, FolderDisk(Path(place) / "undisturbed"), last)
        while done["kills"] < kills:
            folder = Path(place) / str(done["runs"])
            while killed(folder):
                done["kills"] += 1
                done["resumed"] += restore(FolderDisk(folder).files()) is not None
            done["runs"] += 1
            done["wrong"] += chain(save, restore, FolderDisk(folder), last) != want
    return done


def crashes(count: int, seed: int = 0) -> dict[str, int]:
    """Losses of power and kills at random bytes of one save: which checkpoint is found, and is it whole?"""
    save, restore = checkpoints()
    draw, found = random.Random(seed).randrange, {"the new one": 0, "the one before": 0, "wrong": 0}
    shards = {step: [random.Random(10 * step + r).randbytes(400) for r in range(3)] for step in (1, 2)}
    first = Disk()
    save(first.do, 1, shards[1])
    disk = Disk(first.files())
    save(disk.do, 2, shards[2])
    for number in range(count):
        request = draw(len(disk.log) + 1)
        written = request < len(disk.log) and disk.log[request][0] == "write"
        inside = draw(len(disk.log[request][2]) + 1) if written else 0
        left = disk.after_power_loss(request, inside, draw) if number % 2 else disk.after_kill(request, inside)
        step, got = restore(left) or (0, None)
        right = got is not None and got == shards[step]
        found["wrong" if not right else "the new one" if step == 2 else "the one before"] += 1
    return found


def intervals(lab: dict[str, Any]) -> list[dict[str, Any]]:
    """How far the solution and Young's formula are from the simulated best interval."""
    rows = []
    for ratio in (0.005, 0.05, 0.2):
        off: dict[str, list[float]] = {"solution": [], "Young": []}
        for seed in range(40):
            gaps = fleet.failure_gaps(60_000, 1.0, np.random.default_rng(seed))
            best = lab["simulated_best"](ratio, gaps)
            off["solution"].append(lab["plan"](ratio, 0.0, 0.0, 1.0, 1)["interval"] / best - 1)
            off["Young"].append((2 * ratio) ** 0.5 / best - 1)
        rows.append({"C/M": ratio, **{name: summary(values) for name, values in off.items()}})
    return rows


def batching(lab: dict[str, Any]) -> dict[str, Any]:
    """Times the throughput of static batches, as the lab's check asks, over many draws."""
    times = []
    for _ in range(60):
        some = [(8, n) for n in lab["geometric"](150, 16)]
        static = requests.serve(requests.static_batches, some, 16, 2000, 8).steps
        times.append(static / requests.serve(lab["schedule"], some, 16, 100, 8).steps)
    return summary(times)


def scaling(lab: dict[str, Any]) -> list[dict[str, Any]]:
    """Late requests and cost of the solution and of controls, on the hidden tests' kinds of days."""
    policies = {name: lab[name] for name in ("scale", "for_the_peak", "by_utilisation", "by_the_last_tick")}
    rows = []
    for capacity, startup, high in ((20, 14, 600), (40, 13, 1500)):
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in policies}
        for _ in range(DAYS):
            day = lab["a_day"](capacity, startup, high)
            cost = autoscale.play(lab["scale"], **day).cost
            for name, policy in policies.items():
                run = autoscale.play(policy, **day)
                found[name].append((100 * run.late / run.requests, run.cost / cost))
        for name, pairs in found.items():
            late, cost = (summary(list(column)) for column in zip(*pairs, strict=True))
            rows.append({"capacity": capacity, "policy": name, "late %": late, "cost": cost})
    return rows


def main() -> None:
    """Measure, and write the file."""
    survived = {
        "kills at random bytes": real_kills(KILLS, at_bytes=True),
        "kills at random moments": real_kills(KILLS, at_bytes=False),
        "simulated crashes": crashes(CRASHES),
    }
    lab, tests = solved(load(MASTER))
    result = {
        **result_files.cpu(), "device": device.describe(), "tests": tests, **survived, "intervals": intervals(lab),
        "continuous over static": batching(lab), "scaling": scaling(lab),
    }  # fmt: skip
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    print(result_files.write(result, "cpu", "lab17", path))


if __name__ == "__main__":
    main()
