"""Does lab16's accountant agree with Opacus, and how often does a twentieth of the bytes cost at most a point?

    python -m benchmarks.lab16 [FILE]

Opacus is not among the requirements: `pip install opacus==1.6.0` first. The lab's own tests run before anything is
measured. About 3 minutes on one core; writes benchmarks/results/<date>-cpu-lab16.json unless a file is given.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lablib import device

import torch  # isort: skip

from autograder.master import load  # isort: skip
from benchmarks import result_files  # isort: skip
from benchmarks.solved_lab import solved  # isort: skip
from benchmarks.spread import summary  # isort: skip

MASTER = Path(__file__).parents[1] / "solutions/lab16_federated/lab16_federated.py"
ORDERS = list(range(2, 65))
ASKED = [(0.001, 0.8, 1000), (0.01, 1.0, 300), (0.01, 0.6, 10), (0.1, 2.0, 30), (0.3, 4.0, 100), (1.0, 10.0, 20)]
SPLITS = 6


def accountant(lab: dict[str, Any], delta: float = 1e-6) -> list[dict[str, Any]]:
    """Epsilon by the lab's solution and by Opacus, at the same integer orders."""
    try:
        from opacus.accountants.analysis.rdp import compute_rdp, get_privacy_spent  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise SystemExit("benchmarks.lab16 compares with Opacus: run `pip install opacus==1.6.0`.") from error
    rows = []
    for q, sigma, rounds in ASKED:
        rdp = compute_rdp(q=q, noise_multiplier=sigma, steps=rounds, orders=ORDERS)
        theirs, _ = get_privacy_spent(orders=ORDERS, rdp=rdp, delta=delta)
        ours = lab["epsilon"](q, sigma, rounds, delta, ORDERS)
        rows.append({"q": q, "sigma": sigma, "rounds": rounds, "delta": delta, "lab": ours, "opacus": float(theirs)})
    return rows


def compression(lab: dict[str, Any]) -> dict[str, Any]:
    """Accuracy with all bytes and with a twentieth, on several splits; settings as in the lab."""
    from lablib.federated.digits_app import digits_apps
    from lablib.federated.grid import run_in_process

    def encode(update: torch.Tensor, residual: torch.Tensor) -> Any:
        values, places, residual = lab["compress"](update, residual, lab["BUDGET"])
        return {"values": values, "places": places}, residual

    def encode_without(update: torch.Tensor, residual: torch.Tensor) -> Any:
        return encode(update, residual)[0], residual

    codecs = {"plain": (), "feedback": (encode, lab["decompress"]), "alone": (encode_without, lab["decompress"])}
    points: dict[str, list[float]] = {name: [] for name in codecs}
    uplink: dict[str, int] = {}
    for split in range(SPLITS):
        for name, codec in codecs.items():
            settings = {"rounds": 14, "alpha": 1.0, "epochs": 3, "lr": 0.1, "split": split}
            report, grid = run_in_process(*digits_apps(*codec), 10, settings)
            points[name].append(100 * sum(report["accuracy"][-4:]) / 4)
            uplink[name] = sum(grid.uplink.values())
    return {
        "splits": SPLITS,
        "accuracy, plain": summary(points["plain"]),
        "points lost with feedback": summary([a - b for a, b in zip(points["plain"], points["feedback"], strict=True)]),
        "points lost without": summary([a - b for a, b in zip(points["plain"], points["alone"], strict=True)]),
        "share of the uplink": uplink["feedback"] / uplink["plain"],
    }


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path``."""
    if not device.INTERPRETED:
        raise SystemExit("benchmarks.lab16 measures what a CPU computes, as in grading: set TRITON_INTERPRET=1.")
    lab, tests = solved(load(MASTER))
    result = {**result_files.cpu(), "tests": tests, "accountant": accountant(lab), "compression": compression(lab)}
    result["versions"] |= {"flwr": version("flwr"), "opacus": version("opacus")}
    print(result_files.write(result, "cpu", "lab16", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
