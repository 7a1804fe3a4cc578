"""Measure grading: its speed beside stock nbgrader's, how it scales, and what is left of a class when it is killed.

    python -m benchmarks.grading [FILE] [--quick] [--only speed|kills]

Nothing else should run on the machine: CPU seconds are the whole machine's. No figure comes from a class in which
anybody got other points than they must. FILE is benchmarks/results/<date>-<machine>-grading.json unless given; with
``--only``, its other part stays in it, if it was measured on this machine with these versions.
"""

# Every worker imports this module as it starts, so what takes time to import is imported where it is used.
from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import result_files

ROOT = Path(__file__).parents[1]
KILLED_LAB = "lab00_start"  # nothing of it runs, and small notebooks leave time for more kills
_GRADEBOOK = ("ADLS_DB_URL", "ADLS_COURSE_ID")  # by which nbgrader_config.py finds a class's real gradebook


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes
    ----------
    many, few : int
        Hand-ins judged by two workers, and in every other way.
    stock : int
        Hand-ins that stock nbgrader grades.
    kills, killed_class : int
        Runs that are killed, and hand-ins in each.
    """

    lab: str
    many: int
    few: int
    stock: int
    kills: int
    killed_class: int


FULL = Size("lab06_triton_kernels", many=200, few=60, stock=6, kills=100, killed_class=40)
QUICK = Size("lab00_start", many=4, few=4, stock=2, kills=3, killed_class=4)


def measure(size: Size, parts: Sequence[str], folder: Path) -> dict[str, Any]:
    """Measure `parts`, in repositories under `folder`; plain data."""
    from autograder import fingerprint, master
    from benchmarks import machine
    from benchmarks.grading_class import BenchmarkError

    sources = fingerprint.of_lab(master.find(ROOT, size.lab))
    busy = machine.busy_cores()
    if busy > machine.IDLE:
        print(f"note: CPU seconds include those of other programs, which keep {busy:.1f} cores busy", file=sys.stderr)
    result = machine.describe()
    for part in parts:
        result[part] = {"busy_cores_before": busy, **PARTS[part](size, folder)}
    if fingerprint.of_lab(master.find(ROOT, size.lab)) != sources:
        raise BenchmarkError("somebody changed the sources meanwhile")
    return result


def speed(size: Size, folder: Path) -> dict[str, Any]:
    """Stock nbgrader's speed, ours in several settings, and ratios."""
    from autograder import master
    from benchmarks.grading_class import MIX, hand_ins
    from benchmarks.grading_speed import Setting, grading_speed
    from benchmarks.grading_stock import stock_speed

    lab = master.find(ROOT, size.lab)
    few, many, mixed = hand_ins(lab, size.few), hand_ins(lab, size.many), hand_ins(lab, size.few, MIX)
    stock = stock_speed(lab, folder / "stock", few[: size.stock])
    one = grading_speed(lab, folder / "one", few, Setting("1 worker", 1))
    two = grading_speed(lab, folder / "two", many, Setting("2 workers", 2))
    dask = grading_speed(lab, folder / "dask", few, Setting("2 Dask workers", 2, dask=True))
    mix = grading_speed(lab, folder / "mix", mixed, Setting("2 workers, mixed class", 2))
    return {"lab": lab.name, "runs": [stock, one, two, dask, mix], "compared": compared(stock, one, two, dask)}


def kills(size: Size, folder: Path) -> dict[str, Any]:
    """What is left of classes whose grading was killed."""
    from autograder import master
    from benchmarks.grading_class import hand_ins
    from benchmarks.grading_kills import kill_runs

    lab = master.find(ROOT, KILLED_LAB)
    return {"lab": lab.name, **kill_runs(lab, folder / "killed", hand_ins(lab, size.killed_class), size.kills)}


PARTS: dict[str, Callable[[Size, Path], dict[str, Any]]] = {"speed": speed, "kills": kills}


def compared(stock: dict, one: dict, two: dict, dask: dict) -> dict[str, float]:
    """Ratios of the runs' rates.

    Efficiency is the rate of two workers on two cores over twice that of one worker on one core; the process that
    writes shares these cores.
    """

    def seconds(run: dict) -> float:
        return run["a_hand_in"]["seconds"]

    def whole(run: dict) -> float:
        return run["seconds"] / run["hand_ins"]

    return {
        "times_stock": seconds(stock) / seconds(two),
        "times_stock_with_start_and_end": whole(stock) / whole(two),
        "efficiency_of_2_workers": seconds(one) / seconds(two) / 2,
        "efficiency_of_2_dask_workers": seconds(one) / seconds(dask) / 2,
    }


def kept(path: Path, only: str) -> dict[str, Any]:
    """The other part of an earlier result, which has one machine and one set of versions for both.

    Raises
    ------
    BenchmarkError
        It was measured on another machine, or with other versions.
    """
    from benchmarks import machine
    from benchmarks.grading_class import BenchmarkError

    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    parts = {part: earlier[part] for part in PARTS if part in earlier and part != only}
    differ = [name for name, here in machine.describe().items() if parts and earlier.get(name) != here]
    if differ:
        raise BenchmarkError(
            f"{path} has {' and '.join(parts)} of other {' and '.join(differ)} than here: name another FILE, "
            "or measure both parts"
        )
    return parts


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 1 when a kill did harm."""
    from benchmarks.grading_class import BenchmarkError
    from benchmarks.grading_tables import print_result
    from benchmarks.machine import slug

    parser = argparse.ArgumentParser(prog="python -m benchmarks.grading", description="Measure grading.")
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path)
    parser.add_argument(
        "--quick", action="store_true", help="try it on a few hand-ins; write only a FILE that is given"
    )
    parser.add_argument("--only", choices=PARTS, metavar="PART", help=f"one of {', '.join(PARTS)}")
    options = parser.parse_args(arguments)
    for name in _GRADEBOOK:
        os.environ.pop(name, None)
    # Python removes the semaphores of killed processes when this one ends, and would warn of them.
    os.environ["PYTHONWARNINGS"] = "ignore:resource_tracker:UserWarning"
    build = ROOT / "build"  # on the disk where a course is, for writing waits for the disk
    build.mkdir(exist_ok=True)
    path = options.file or (None if options.quick else result_files.place(slug(), "grading"))
    try:
        earlier = kept(path, options.only) if path and options.only else {}
        with tempfile.TemporaryDirectory(prefix="grading-", dir=build) as folder:
            parts = [options.only] if options.only else list(PARTS)
            result = measure(QUICK if options.quick else FULL, parts, Path(folder))
    except BenchmarkError as error:
        print(f"benchmarks.grading: nothing was written: {error}", file=sys.stderr)
        return 2
    print_result(result)
    if path:
        result_files.write(result | earlier, slug(), "grading", path)
    return 1 if result.get("kills", {}).get("faults") else 0


if __name__ == "__main__":
    sys.exit(main())
