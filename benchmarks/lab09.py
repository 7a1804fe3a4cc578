"""What lab09 quotes: times of an H200, and by how much its thresholds hold, over seeds.

    python -m benchmarks.lab09 [FILE]

The lab's own tests run first; nothing is measured if one fails. Then the GPT's weights are taken to 3 bits by every row
of the lab's table, with many choices of outlier channels and of samples; and the digits network is trained through
rounding with many seeds, against the bounds of 2 points (3 bits) and 4 points (2 bits), beside rounding afterwards. Run
it again when `lablib/models/trained/gpt.npz` changes. About 6 minutes on one core. It also writes the lab's
assets/h200.json, from the newest result of `benchmarks.kernels`.
"""

from __future__ import annotations

import json
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
from lablib.models.weights import card  # isort: skip

FOLDER = Path(__file__).parents[1] / "solutions/lab09_quantisation"
MODELS, TRAININGS, CHARACTERS = 12, 24, 3000
CASES = {"1 × 28672 × 8192": (1, 28672, 8192), "64 × 28672 × 8192": (64, 28672, 8192)}
Method = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def products() -> dict[str, Any]:
    """Seconds of an H200 by product and number format, from the newest result of `benchmarks.kernels`."""
    path = result_files.newest("h200-kernels")
    recorded = json.loads(path.read_text())
    rows = {(row["kernel"], row["case"]): row for row in recorded["rows"]}
    found = []
    for case, (M, N, K) in CASES.items():
        row = rows["matmul_int4", f"{case}, groups of 128"]
        seconds = {"bfloat16": row["peers_ms"]["bf16"] / 1e3, "int4": row["ms"] / 1e3}
        found.append({"M": M, "N": N, "K": K, "seconds": seconds})
    int8, dense = rows["matmul_int8", "int8 8192³"], _dense(rows)
    found.append({"M": 8192, "N": 8192, "K": 8192, "seconds": {"bfloat16": dense, "int8": int8["ms"] / 1e3}})
    return {
        "source": f"benchmarks/results/{path.name}",
        "machine": recorded["machine"], "versions": recorded["versions"], "products": found,
    }  # fmt: skip


def _dense(rows: dict[tuple[str, str], dict[str, Any]]) -> float:
    """Seconds of cuBLAS for 8192³ in bfloat16, which the 2:4 kernel is compared with."""
    (row,) = (row for (kernel, case), row in rows.items() if kernel == "matmul_2to4" and "8192 × 8192 × 8192" in case)
    return row["peers_ms"]["dense"] / 1e3


def methods(lab: dict[str, Any]) -> dict[str, Method]:
    """The rows of the lab's table, built from its solution."""

    def nearest(w: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return lab["rounded_rows"](w, 3)

    def scaled(w: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        codes, low, step, s = lab["activation_aware"](w, h, 3)
        return (low + step * codes) / s

    def at_random(w: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        dealt = torch.randperm(len(h))
        codes, low, step, s = lab["activation_aware"](w, h[dealt][:, dealt], 3)
        return (low + step * codes) / s

    def fed(w: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        codes, low, step = lab["error_feedback"](w, h, 3)
        return low + step * codes

    def both(w: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        *_, s = lab["activation_aware"](w, h, 3)
        return fed(w * s, h / s / s[:, None]) / s

    return {
        "round to nearest": nearest, "random channels": at_random, "activation-aware": scaled,
        "error feedback": fed, "both": both,
    }  # fmt: skip


def perplexities(lab: dict[str, Any], outliers: bool, runs: int = MODELS) -> dict[str, list[float]]:
    """Perplexity at 3 bits as a multiple of the float model's, by method; another text and other channels a run."""
    text, gpt, rows = lab["austen"](), lab["load"](lab["GPT"](), "gpt"), methods(lab)
    whole = lab["bits_per_character"](gpt, text.test[:CHARACTERS])
    found: dict[str, list[float]] = {name: [] for name in rows}
    for seed in range(runs):
        torch.manual_seed(seed)
        channels = torch.stack([torch.randperm(128)[:8] for _ in range(8)])
        model = lab["with_outliers"](gpt, channels) if outliers else gpt
        H = lab["moments"](model, lab["windows_of"](text.train[100_000 * seed :], 16))
        for name, method in rows.items():
            changed = lab["copy"].deepcopy(model)
            for path, h in H.items():
                weight = changed.get_submodule(path).weight
                weight.data = method(weight.detach(), h).float()
            bits = lab["bits_per_character"](changed, text.test[:CHARACTERS])
            found[name].append(2 ** (bits - whole))
    return found


def points_lost(lab: dict[str, Any], bits: int, runs: int = TRAININGS) -> dict[str, list[float]]:
    """Points of accuracy that the digits network loses, trained through the rounding, and rounded afterwards."""
    data = lab["digits"]()
    x, test_x = data.train_x.flatten(1), data.test_x.flatten(1)
    found: dict[str, list[float]] = {"trained through the rounding": [], "rounded afterwards": []}
    for seed in range(runs):
        torch.manual_seed(1000 + seed)
        places, names = torch.randperm(64), torch.randperm(10)
        y, test_y = names[data.train_y], names[data.test_y]
        floats = lab["float_digits"](x[:, places], y)
        share = float((lab["digit_layers"](floats, test_x[:, places])[1].argmax(1) == test_y).float().mean())
        answers = (lab["train_low_bits"](floats, x[:, places], y, bits), afterwards(lab, floats, x[:, places], bits))
        for name, answer in zip(found, answers, strict=True):
            found[name].append(100 * (share - lab["in_integers"](answer, test_x[:, places], test_y, bits)))
    return found


def afterwards(lab: dict[str, Any], floats: dict[str, torch.Tensor], x: torch.Tensor, bits: int) -> dict[str, Any]:
    """The float network on the levels with the least rounding error."""
    top, answer = 2 ** (bits - 1) - 1, dict(floats)
    for name in ("weights0", "weights1"):
        w = floats[name]
        levels = [(w / step).round().clamp(-top, top) * step for step in (2.0**-i for i in range(8))]
        answer[name] = min(levels, key=lambda one, w=w: float((one - w).square().sum()))
    most = [v.abs().max() for v in lab["digit_layers"](answer, x)]
    return answer | {"value_bits": [4] + [int((127 / v).log2().floor()) for v in most]}


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path``."""
    if not device.INTERPRETED:
        raise SystemExit("benchmarks.lab09 measures what a CPU computes, as in grading: set TRITON_INTERPRET=1.")
    (FOLDER / "assets/h200.json").write_text(json.dumps(products(), indent=1) + "\n")
    lab, tests = solved(load(FOLDER / f"{FOLDER.name}.py"))
    at_3_bits = {
        name: {row: summary(runs) for row, runs in perplexities(lab, outliers).items()}
        for name, outliers in (("as trained", False), ("with outliers", True))
    }
    digits = {f"{bits} bits": {row: summary(runs) for row, runs in points_lost(lab, bits).items()} for bits in (3, 2)}
    result = {
        **result_files.cpu(),
        "weights": card("gpt")["metrics"],
        "tests": tests,
        "perplexity at 3 bits, as a multiple of the float model's": at_3_bits,
        "points lost by the digits network": digits,
    }
    print(result_files.write(result, "cpu", "lab09", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
