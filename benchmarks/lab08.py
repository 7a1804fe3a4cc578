"""What lab08 quotes: times of an H200, how sure its accuracies are, and by how much its thresholds hold.

    python -m benchmarks.lab08 [FILE]

The lab's own tests run first; nothing is measured if one fails. Then the solution's `fine_tune` is trained with many
seeds, against the bound of 1 point; and `activation_aware` is fitted on many samples of inputs of every linear layer of
the ViT and the GPT, against the bound of 0.9 × plain SVD's error. Run it again when weights in
`lablib/models/trained` change. About 6 minutes on one core. It also writes the lab's assets/h200.json, from the newest
result of `benchmarks.kernels`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lablib import device

import torch  # isort: skip
from torch import nn  # isort: skip

from autograder.master import load  # isort: skip
from benchmarks import result_files  # isort: skip
from benchmarks.solved_lab import solved  # isort: skip
from benchmarks.spread import summary  # isort: skip
from lablib.compress.calibration import layer_inputs  # isort: skip
from lablib.models.weights import card  # isort: skip

FOLDER = Path(__file__).parents[1] / "solutions/lab08_lowrank_and_pruning"
RUNS = 24
CASES = {"1 × 28672 × 8192": (1, 28672, 8192), "8192 × 8192 × 8192": (8192, 8192, 8192)}


def points_lost(lab: dict[str, Any], runs: int = RUNS) -> list[float]:
    """Accuracy lost by pruning to 15% and fine-tuning, in points, a training each, as the lab's test runs it."""
    data, found = lab["mnist"](), []
    for seed in range(runs):
        torch.manual_seed(1000 + seed)
        names, mirrored = torch.randperm(10), seed % 2
        train_x, test_x = ((x.mT.contiguous() if mirrored else x) for x in (data.train_x, data.test_x))
        state = lab["disguised"](lab["load"](lab["CNN"](), "cnn").state_dict(), mirrored, names)
        whole, _ = lab["network"](state)
        model, share = lab["network"](lab["fine_tune"](state, train_x, names[data.train_y]))
        assert share <= 0.15, f"{share:.2%} of the weights are not zero"
        before, after = (lab["accuracy"](m, test_x, names[data.test_y]) for m in (whole, model))
        found.append(100 * (before - after))
    return found


def error_ratios(lab: dict[str, Any], model: nn.Module, samples: list[torch.Tensor]) -> dict[str, float]:
    """The largest ratio of held-out errors, activation-aware over plain, at half the break-even rank."""
    paths = [path for path, one in model.named_modules() if isinstance(one, nn.Linear) and path != "head"]
    worst = dict.fromkeys(paths, 0.0)
    for sample in samples:
        for path, x in layer_inputs(model, paths, sample).items():
            w = model.get_submodule(path).weight.detach()
            rank = w.numel() // sum(w.shape) // 2
            fitted, held_out = x.chunk(2)
            b, a = lab["activation_aware"](w, list(fitted.tensor_split(16)), rank)
            plain = lab["plain_svd"](w, rank)
            aware_error, plain_error = (
                float((held_out.double() @ (w.double() - m.double()).T).norm()) for m in (b @ a, plain)
            )
            worst[path] = max(worst[path], aware_error / plain_error)
    return worst


def products() -> dict[str, Any]:
    """Times of dense and 2:4 products from the newest result of `benchmarks.kernels`."""
    path = result_files.newest("kernels")
    measured = json.loads(path.read_text())
    rows = {row["case"]: row for row in measured["rows"] if row["kernel"] == "matmul_2to4"}
    found = []
    for case, (M, N, K) in CASES.items():
        ms = {"dense": rows[case]["peers_ms"]["dense"], "2:4": rows[case]["ms"]}
        ms["cuSPARSELt"] = rows[case]["peers_ms"]["cuSPARSELt"]
        found.append({"M": M, "N": N, "K": K, "seconds": {name: value / 1e3 for name, value in ms.items()}})
    source = f"benchmarks/results/{path.name}, bfloat16"
    return {"source": source, "machine": measured["machine"], "versions": measured["versions"], "products": found}


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path`` and the lab's assets."""
    if not device.INTERPRETED:
        raise SystemExit("benchmarks.lab08 measures what a CPU trains, as in grading: set TRITON_INTERPRET=1.")
    torch.set_num_threads(1)
    (FOLDER / "assets/h200.json").write_text(json.dumps(products(), indent=1) + "\n")
    lab, tests = solved(load(FOLDER / f"{FOLDER.name}.py"))
    torch.manual_seed(0)
    image_samples = [lab["mnist"]().train_x[i : i + 100] for i in range(0, 2000, 400)]
    text_samples = [lab["windows_of"](lab["austen"]().train[i:], 32) for i in range(0, 1_000_000, 200_000)]
    result = {
        **result_files.cpu(),
        "weights": {name: card(name)["metrics"] for name in ("cnn", "vit", "gpt")},
        "tests": tests,
        "largest error, activation-aware over plain": {
            name: error_ratios(lab, lab["load"](lab[cls](), name), samples)
            for name, cls, samples in [("vit", "ViT", image_samples), ("gpt", "GPT", text_samples)]
        },
        "points lost at 15% of the weights": summary(points_lost(lab)),
    }
    print(result_files.write(result, "cpu", "lab08", path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
